"""Reading and writing the machine: the root, programs, what is installed."""
