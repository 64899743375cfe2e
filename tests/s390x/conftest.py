"""Fixtures of the s390x tests."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.s390x.guest import Guest, make_program_disk
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.real_zipl import Cell
from tests.s390x.scenarios import Installed
from tests.s390x.testbed import TestBed, require_ipl, require_oracle, zipl_versions
from tests.workshop import Workshop


@pytest.fixture(scope="session")
def bed() -> TestBed:
    """The test bed, for tests that boot."""
    return require_ipl()


@pytest.fixture(scope="session")
def program_disk(workshop: Workshop, pyz: Path) -> Path:
    """The image with secboot's single file, which a guest mounts at /opt."""
    require_ipl()

    def make(directory: Path) -> None:
        make_program_disk(directory / "program.img", pyz, directory)

    return workshop.directory("program", make) / "program.img"


@pytest.fixture
def guest(bed: TestBed, program_disk: Path, tmp_path: Path) -> Guest:
    """A guest on a fresh disk, where zipl has not run."""
    return Guest.create(bed, tmp_path, program_disk)


@pytest.fixture(scope="session")
def installed(bed: TestBed, program_disk: Path, workshop: Workshop) -> Installed:
    """Disks where the guest's own zipl has run."""
    return Installed(bed, program_disk, workshop)


@pytest.fixture(scope="session")
def loop_disk() -> Iterator[LoopDisk]:
    """An empty loop-mounted file system, one for each test process."""
    require_oracle()
    with LoopDisk() as disk:
        yield disk


@pytest.fixture(scope="session")
def cells(loop_disk: LoopDisk) -> Callable[[str, str], Cell]:
    """A function that returns the cell with this name and version of zipl, always the same one."""

    @cache
    def cell(name: str, version: str) -> Cell:
        return require_oracle().cell(loop_disk.mount / f"{name}-{version}", loop_disk, version)

    return cell


@pytest.fixture(scope="session", params=zipl_versions())
def cell(request: pytest.FixtureRequest, cells: Callable[[str, str], Cell]) -> Cell:
    """A place to run each version of zipl that the test bed has."""
    return cells("cell", request.param)
