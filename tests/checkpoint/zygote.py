"""The traced side of the fault tests: forks one process per case, each of which meets one fault.

strace counts the calls of each system call per process, and injects the fault at one fixed number.
Here each process first makes `skip` calls of the chosen kind that fail harmlessly, so that the
fault hits the intended call of the real work. One strace serves thousands of cases.

Run as ``python zygote.py CASES.json RESULTS.json``.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from secboot.system.syscalls import UnavailableError, exchange, openat2
from tests.checkpoint.scenes import SCENES, perform

NOWHERE = 987654
"""A number that no open file has."""

HARMLESS: dict[str, Callable[[], object]] = {
    "openat": lambda: os.open(b"", os.O_RDONLY),
    "openat2": lambda: openat2(NOWHERE, b"x", os.O_PATH, 0),
    "read": lambda: os.read(NOWHERE, 1),
    "write": lambda: os.write(NOWHERE, b"x"),
    "pwrite64": lambda: os.pwrite(NOWHERE, b"x", 0),
    "fsync": lambda: os.fsync(NOWHERE),
    "fdatasync": lambda: os.fdatasync(NOWHERE),
    "renameat": lambda: os.rename(b"x", b"y", src_dir_fd=NOWHERE, dst_dir_fd=NOWHERE),
    "renameat2": lambda: exchange(NOWHERE, b"x", b"y"),
    "unlinkat": lambda: os.unlink(b"x", dir_fd=NOWHERE),
    "linkat": lambda: os.link(b"x", b"y", src_dir_fd=NOWHERE, dst_dir_fd=NOWHERE),
    "mkdirat": lambda: os.mkdir(b"x", dir_fd=NOWHERE),
    "fchmod": lambda: os.fchmod(NOWHERE, 0o600),
    "fchown": lambda: os.fchown(NOWHERE, 0, 0),
    "fsetxattr": lambda: os.setxattr(NOWHERE, b"user.x", b""),
    "ftruncate": lambda: os.ftruncate(NOWHERE, 0),
    "flock": lambda: fcntl.flock(NOWHERE, fcntl.LOCK_EX | fcntl.LOCK_NB),
}


def main() -> None:
    cases = json.loads(Path(sys.argv[1]).read_text())
    results = [_in_child(case) for case in cases]
    Path(sys.argv[2]).write_text(json.dumps(results))


def _in_child(case: dict[str, str | int]) -> tuple[int, int]:
    """The process ID of the case, and its exit status."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for _ in range(int(case["skip"])):
                with suppress(OSError, UnavailableError):
                    HARMLESS[str(case["call"])]()
            code = perform(str(case["verb"]), Path(str(case["tree"])), SCENES[str(case["scene"])])
        except Exception:  # noqa: BLE001 - after any exception the case has failed
            traceback.print_exc()
        finally:
            os._exit(code)
    return child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
