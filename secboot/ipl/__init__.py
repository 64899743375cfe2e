"""What the next IPL starts: the boot record compared with the configuration; no side effects."""
