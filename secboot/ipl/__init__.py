"""What the next IPL starts: the boot record beside the configuration; pure."""
