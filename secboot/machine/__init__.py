"""Discovery: what boots here, read once."""
