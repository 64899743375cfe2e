"""What is made from secboot itself: manual pages, reference pages, completions, a module."""
