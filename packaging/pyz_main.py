# The entry point of secboot.pyz. Any `python3` may run it, down to 2.7 and 3.6 of older
# distributions, so it uses only syntax that all of them understand.
import os
import sys

OLDEST = (3, 11)
NEWEST_MINOR = 20


def other_python():
    """Return the newest suitable Python on the search path, or None."""
    for minor in range(NEWEST_MINOR, OLDEST[1] - 1, -1):
        for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
            candidate = os.path.join(directory, "python3.%d" % minor)
            if directory and os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
                return candidate
    return None


if sys.version_info < OLDEST:
    python = other_python()
    if python is None:
        sys.stderr.write(
            "secboot: error: Python 3.11 or newer is needed, and %s is Python %d.%d\n"
            "  install one, for instance python3.11 or python3.12; it need not be the default\n"
            % (sys.executable, sys.version_info[0], sys.version_info[1])
        )
        sys.exit(1)
    os.execv(python, [python] + sys.argv)

# "./secboot.pyz" would no longer be found after a change of directory.
sys.path[0] = os.path.realpath(sys.path[0])

from secboot.cli import main

sys.exit(main())
