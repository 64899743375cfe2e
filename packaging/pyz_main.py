# The entry point of secboot.pyz. `python3 secboot.pyz` may be any Python, down to 2.7 and 3.6 of
# older distributions, so this uses only syntax that all of them understand.
import os
import sys

# "./secboot.pyz" would no longer be found after a change of directory.
sys.path[0] = os.path.realpath(sys.path[0])

if sys.version_info < (3, 11):
    # The file is also a shell script, which finds a newer one or says what to install.
    os.execv("/bin/sh", ["/bin/sh", sys.path[0]] + sys.argv[1:])

from secboot.cli import main

sys.exit(main())
