"""Text formats: text to document to text, byte-exact where nothing changed; no input or output."""
