"""What makes a machine bootable for these tests: a disk of its own, and the real s390x zipl.

zipl runs under emulation in a chroot (`tests.s390x.real_zipl`) that has the machine's /boot, /etc
and /run. The program that the machine calls zipl starts it, and notes each call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.s390x.loop_disk import LoopDisk
from tests.s390x.testbed import TestBed

SHARED = ("boot", "etc", "run")
"""What the machine must mount below `BootDisk.cell`, and `BootDisk.programs` on /usr/sbin."""

_RELEASE = re.compile(rb"\0\d+\.\d+\.\d+-build-[0-9]+\0")
_PROGRAM = """\
#!/bin/sh
echo "$*" >> {top}/zipl.log
chroot {top}/cell /bin/qemu /sbin/zipl "$@" || exit
case " $* " in *" --dry-run "*) exit 0 ;; esac
if [ -e {top}/zipl-fails ]; then
    rm {top}/zipl-fails
    echo "made to fail" >&2
    exit 1
fi
exit 0
"""
_PARMLINE = re.compile(rb"root=/dev/mapper/[ -~]*")


@dataclass(frozen=True, slots=True)
class BootDisk:
    """The disk of the machine whose files are below ``top``."""

    top: Path

    @property
    def cell(self) -> Path:
        """The directory that zipl takes for the root."""
        return self.top / "cell"

    @property
    def programs(self) -> Path:
        """The directory with the machine's zipl."""
        return self.top / "sbin"

    def runs(self) -> list[str]:
        """What zipl was called with so far, dry runs left out."""
        calls = (self.top / "zipl.log").read_text().splitlines()
        return [call for call in calls if "--dry-run" not in call.split()]

    def calls(self) -> int:
        """How often zipl was called so far, dry runs included."""
        return len((self.top / "zipl.log").read_text().splitlines())

    def fail_once(self) -> None:
        """Let the next run that is not a dry run fail after its work is done."""
        (self.top / "zipl-fails").touch()

    def lines(self) -> list[str]:
        """The parameter lines that zipl wrote for the next IPL, in its order."""
        bootmap = (self.top / "boot/bootmap").read_bytes()
        return [line.decode("ascii").rstrip() for line in _PARMLINE.findall(bootmap)]


@contextmanager
def boot_disk(top: Path, version: str, bed: TestBed) -> Iterator[BootDisk]:
    """Give the machine a disk for its /boot, and a zipl of this version, while the context lasts."""
    disk = BootDisk(top)
    with LoopDisk() as loop:
        (loop.mount / "boot").mkdir()
        (top / "boot").symlink_to(loop.mount / "boot")
        cell = bed.cell(disk.cell, loop, version)
        cell.clear()
        for name in SHARED:
            (disk.cell / name).mkdir()
        disk.programs.mkdir()
        # secboot reads the release in the program, after a point that the shell does not reach.
        release = _RELEASE.search((bed.zipl[version] / "sbin/zipl").read_bytes())
        assert release is not None
        program = disk.programs / "zipl"
        program.write_bytes(_PROGRAM.format(top=top).encode() + release[0])
        program.chmod(0o755)
        yield disk
