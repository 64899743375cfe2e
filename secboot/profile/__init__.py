"""Profiles: YAML to requirements, every error with file, line and column."""
