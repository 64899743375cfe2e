"""Discovery: what the machine boots, read once."""
