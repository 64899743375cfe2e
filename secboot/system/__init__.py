"""Effects: files confined to a root, and programs."""
