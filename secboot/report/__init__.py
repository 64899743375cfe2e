"""A plan, a configuration or a history as text or JSON."""
