"""Parameter lines while they are edited; no effects."""
