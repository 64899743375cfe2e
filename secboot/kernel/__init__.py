"""What the Linux kernel makes of its command line."""
