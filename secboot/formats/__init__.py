"""Text formats: text to document to text, byte for byte where nothing changed; no input or output."""
