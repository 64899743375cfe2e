"""Profiles: YAML to requirements; every error has a file, line and column."""
