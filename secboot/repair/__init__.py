"""Repairs that need no guess: turn a finding and its document into an edit, or a reason why not."""
