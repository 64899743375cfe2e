"""How the Linux kernel reads its command line."""
