"""A small s390x Linux system on its own disk, booted once for every job."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.s390x.emulator import DirectKernel, Disk, IplResult, Machine, machine
from tests.s390x.guest_disk import job_disk, make_filesystem
from tests.s390x.testbed import TestBed

_PROGRAM_SIZE = 16 * 1024 * 1024

PRELUDE = """\
export PYTHONDONTWRITEBYTECODE=1 COLUMNS=200 NO_COLOR=1
secboot() { python3 /opt/secboot.pyz "$@"; }
run() { # NAME COMMAND...: its output and status, between markers
    run_name=$1
    shift
    echo "@@BEGIN $run_name"
    "$@"
    run_status=$?
    echo
    echo "@@END $run_name $run_status"
}
reipl() { # a reboot, with what /sys/firmware/reipl holds
    echo 1 > /sys/firmware/reipl/ccw/clear
    sync
    python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x1234567)'
    exit 1
}
"""
"""Functions for every job: `secboot`, `run` to report a command to the test, and `reipl`."""

_LOST_MEMORY = "Kernel panic - not syncing: Corrupt kernel stack"
_BOOTS = """boots=$(cat /var/boots 2> /dev/null || echo 0)
boots=$((boots + 1))
echo $boots > /var/boots
"""


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest with its own disk (``disk``) and, at /opt, the read-only disk ``program``."""

    bed: TestBed
    directory: Path
    program: Path

    @classmethod
    def create(
        cls, bed: TestBed, directory: Path, program: Path | None, disk: Path | None = None
    ) -> "Guest":
        """Copy a disk, by default that of the installed base system.

        Without a program disk, an empty one is used.
        """
        if program is None:
            program = directory / "nothing.img"
            make_filesystem(program, None, _PROGRAM_SIZE)
        guest = cls(bed, directory, program)
        copy_disk(disk or bed.base_disk, guest.disk)
        return guest

    @property
    def disk(self) -> Path:
        """The image of the first disk, with the boot record and the root file system."""
        return self.directory / "disk.img"

    def machine(
        self,
        script: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        direct: str | None = None,
        loadparm: str = "",
        write_log: Path | None = None,
        reipls: bool = False,
    ) -> Machine:
        """A machine that boots and runs ``script`` with its shell, in a directory with ``files``.

        It IPLs from the disk's boot record; with ``direct`` (a command line) QEMU loads the kernel.
        """
        job = self.directory / "job.img"
        job_disk(job, PRELUDE + script, files)
        if write_log is not None:
            write_log.write_bytes(b"")
        kernel = None
        if direct is not None:
            kernel = DirectKernel(self.bed.kernel, self.bed.initramfs, direct)
        disks = [
            Disk(self.disk, write_log=write_log),
            Disk(self.program, read_only=True),
            Disk(job, read_only=True),
        ]
        return machine(disks, kernel, loadparm, reipls=reipls)

    def run(
        self,
        script: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        direct: str | None = None,
        loadparm: str = "",
        write_log: Path | None = None,
        limit: float = 120,
    ) -> IplResult:
        """Boot, run the script to its end, power off. See `machine`."""
        with self.machine(
            script, files, direct=direct, loadparm=loadparm, write_log=write_log
        ) as running:
            return running.result(limit)

    def reipl(
        self, scripts: Sequence[str], files: Mapping[str, bytes | str], *, limit: float = 500
    ) -> IplResult:
        """Boot, run the first script, re-IPL, and so on; power off after the last one.

        Once, after a re-IPL, the kernel found its own stack corrupt ten seconds into its start, and the same
        boots succeeded when they were repeated. The cause is unknown; nothing that secboot writes is read
        then, so the emulator is suspected. After this panic, and no other, everything is done again, from
        the disk as it was.
        """
        before = self.disk.with_suffix(".before")
        copy_disk(self.disk, before)
        result = self._reipl(scripts, files, limit)
        if not result.finished and _LOST_MEMORY in result.console:
            copy_disk(before, self.disk)
            result = self._reipl(scripts, files, limit)
        before.unlink()
        return result

    def _reipl(
        self, scripts: Sequence[str], files: Mapping[str, bytes | str], limit: float
    ) -> IplResult:
        cases = "".join(
            f"{number})\n{script}{'reipl' if number < len(scripts) else ':'} ;;\n"
            for number, script in enumerate(scripts, start=1)
        )
        script = f"{_BOOTS}case $boots in\n{cases}esac\n"
        with self.machine(script, files, reipls=True) as running:
            return running.result(limit)


def copy_disk(source: Path, target: Path) -> None:
    """Copy an image, keeping holes, by reference if the file system can."""
    command: list[str | Path] = ["cp", "--sparse=always", "--reflink=auto", source, target]
    subprocess.run(command, check=True)


def make_program_disk(image: Path, pyz: Path, work: Path) -> None:
    """Make the disk that carries secboot as its single file, as `./dev pyz` builds it.

    Its byte code is that of the building Python. If that is not 3.11, as in the guest, the guest
    compiles the sources at each start, which only takes longer.
    """
    tree = work / "program"
    tree.mkdir()
    shutil.copyfile(pyz, tree / "secboot.pyz")
    make_filesystem(image, tree, _PROGRAM_SIZE)
    shutil.rmtree(tree)
