"""What can be repaired without a guess: a finding and its document become an edit, or a reason."""
