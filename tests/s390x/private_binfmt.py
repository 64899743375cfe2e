"""Run a command for which the kernel starts s390x programs with qemu-user, and only for it.

The command gets a user namespace, in which root has root's number, and a mount namespace. Since Linux
6.7 a user namespace can have its own binfmt_misc, so nothing is registered for the whole machine.

    python -m tests.s390x.private_binfmt COMMAND...

Needs root. Exit status 125: this kernel cannot do that; the reason is on standard error.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

IMPOSSIBLE: Final = 125
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000  # linux/sched.h
_ALL = "0 0 4294967295"
_BINFMT = "/proc/sys/fs/binfmt_misc"
_MAGIC = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16"
"""A big-endian 64-bit ELF file for Linux that is a program, for the machine 22: S/390."""
_MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 9 + b"\xfe" + b"\xff" * 2
"""Without the byte of the operating system; a program can also be position independent (type 3)."""


def _entry(emulator: str) -> bytes:
    """The line to register: the emulator is opened now (F), so a chroot does not need it."""
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in text) for text in (_MAGIC, _MASK))
    return f":qemu-s390x:M::{magic}:{mask}:{emulator}:F\n".encode()


def main(words: list[str]) -> int:
    emulator = shutil.which("qemu-s390x-static")
    if emulator is None:
        sys.stderr.write("qemu-s390x-static is missing; run tests/s390x/setup\n")
        return IMPOSSIBLE
    entered, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _in_child(words, emulator, entered[1], mapped[0])
    os.close(entered[1])
    if os.read(entered[0], 1):
        for kind in ("uid", "gid"):
            Path(f"/proc/{child}/{kind}_map").write_text(_ALL)
        os.write(mapped[1], b"x")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_child(words: list[str], emulator: str, entered: int, mapped: int) -> None:
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_MOUNTS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")  # noqa: TRY301  # reported below
        os.write(entered, b"x")
        os.read(mapped, 1)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT], check=True)
        Path(_BINFMT, "register").write_bytes(_entry(emulator))
        os._exit(subprocess.run(words, check=False).returncode)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"no binfmt_misc of its own for a namespace: {error}\n")
    os._exit(IMPOSSIBLE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
