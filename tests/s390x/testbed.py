"""The basis of the tests in this directory: the test bed that `setup` built, or a reason to skip.

With ``CI=true`` nothing is skipped: anything missing is a failure.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.available import unavailable
from tests.s390x.cache import Bed, cache_directory
from tests.s390x.loop_disk import LoopDisk, loop_problem
from tests.s390x.real_zipl import Cell

BASE_ZIPL = "2.16.0"


@dataclass(frozen=True, slots=True)
class TestBed:
    """A finished test bed with absolute paths."""

    __test__ = False  # its name starts like a test's

    zipl: dict[str, Path]
    shell: Path
    guest: Path

    @property
    def kernel(self) -> Path:
        """The guest's kernel image."""
        return self.guest / "kernel"

    @property
    def initramfs(self) -> Path:
        """The guest's initramfs; without root= it only reports and stops."""
        return self.guest / "initramfs"

    @property
    def base_disk(self) -> Path:
        """A disk image with the installed guest, not yet IPLable: zipl has not run on it."""
        return self.guest / "base.img"

    @property
    def systemd_disk(self) -> Path:
        """The same with systemd, for an IPL with ``init=/lib/systemd/systemd``."""
        return self.guest / "systemd.img"

    def cell(self, directory: Path, disk: LoopDisk, version: str = BASE_ZIPL) -> Cell:
        """A cell in a new directory, to run this zipl on cases on the disk."""
        return Cell(directory, self.zipl[version], self.shell, disk, version)


@cache
def _find() -> TestBed | str:
    directory = cache_directory()
    bed = Bed.load(directory)
    if bed is None or not bed.complete(directory):
        return "the s390x test bed is not set up; run tests/s390x/setup"
    zipl = {version: directory / part for version, part in bed.zipl.items()}
    return TestBed(zipl, directory / bed.shell, directory / bed.guest)


def require_ipl() -> TestBed:
    """The test bed for tests that boot a guest; needs no root."""
    found = _find()
    if isinstance(found, str):
        unavailable(found)
    return found


def require_oracle() -> TestBed:
    """The test bed for tests with complete runs of zipl; needs root and a loop device."""
    found = require_ipl()
    if problem := loop_problem():
        unavailable(problem)
    return found


def zipl_versions() -> tuple[str, ...]:
    """Versions to run an oracle test with; the base version if the test bed does not exist yet."""
    found = _find()
    return (BASE_ZIPL,) if isinstance(found, str) else tuple(found.zipl)
