"""Parameter lines while they are edited; pure."""
