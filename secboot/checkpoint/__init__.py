"""Durable changes, and their rollback."""
