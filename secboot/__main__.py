"""Run secboot as ``python -m secboot``."""

import sys

from secboot.cli import main

if __name__ == "__main__":
    sys.exit(main())
