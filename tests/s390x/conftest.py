"""Fixtures of the s390x tests."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.s390x.guest import Guest, make_program_disk
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.real_zipl import Cell
from tests.s390x.scenarios import SCENARIOS, Scenario
from tests.s390x.testbed import TestBed, require_ipl, require_oracle, zipl_versions


@pytest.fixture(scope="session")
def bed() -> TestBed:
    """The test bed, for tests that boot."""
    return require_ipl()


@pytest.fixture(scope="session")
def program_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image with secboot's single file that a guest mounts at /opt."""
    require_ipl()
    work = tmp_path_factory.mktemp("program")
    make_program_disk(work / "program.img", work)
    return work / "program.img"


@pytest.fixture
def guest(bed: TestBed, program_disk: Path, tmp_path: Path) -> Guest:
    """A guest on a fresh disk; no zipl has run on it."""
    return Guest.create(bed, tmp_path, program_disk)


@pytest.fixture(scope="session")
def installed(
    bed: TestBed, program_disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Scenario], Path]:
    """A function that gives the disk image of a scenario that can be IPLed; made once, copy it."""

    @cache
    def disk_of(name: str) -> Path:
        guest = Guest.create(bed, tmp_path_factory.mktemp(name), program_disk)
        SCENARIOS[name].install(guest)
        return guest.disk

    return lambda scenario: disk_of(scenario.name)


@pytest.fixture(scope="session")
def loop_disk() -> Iterator[LoopDisk]:
    """An empty loop-mounted file system, one for each test process."""
    require_oracle()
    with LoopDisk() as disk:
        yield disk


@pytest.fixture(scope="session", params=zipl_versions())
def cell(request: pytest.FixtureRequest, loop_disk: LoopDisk) -> Cell:
    """A place to run each version of zipl that the test bed has."""
    bed = require_oracle()
    version: str = request.param
    directory = loop_disk.mount / version
    return Cell(directory, bed.zipl[version], bed.shell, loop_disk, version)
