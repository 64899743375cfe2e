"""Requirements and what was found become a plan; pure."""
