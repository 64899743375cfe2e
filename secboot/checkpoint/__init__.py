"""Durable change and the way back."""
