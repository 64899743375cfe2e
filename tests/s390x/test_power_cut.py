"""The power fails in the middle of an apply: the machine comes up, and secboot puts it in order.

Two models of a cut. *Killed*: the emulator dies at some moment of the apply; the disk keeps every
write that the guest had issued, in order, and loses what was in the guest's page cache.
*Replayed*: one apply is recorded with every write and flush, and the disk is rebuilt as it was
after any one of those writes, with all, some or none of the writes since the last flush lost, as
a disk with a volatile cache may lose them. Neither model tears a single block.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.s390x import tally
from tests.s390x.emulator import IplResult
from tests.s390x.guest import Guest
from tests.s390x.scenarios import BLS, SECTION, Scenario
from tests.s390x.testbed import TestBed
from tests.s390x.write_log import WriteLog

pytestmark = [pytest.mark.ipl, pytest.mark.fault]

Installed = Callable[[Scenario], Path]

CUTS = int(os.environ.get("SECBOOT_POWER_CUTS", "6"))
"""Moments per test and model; more of them for a long run."""

APPLY = "run apply secboot apply guest\n"
AGAIN = "run again secboot apply guest\nrun plan secboot plan guest --detailed-exitcode\n"


def assert_comes_up_and_is_put_in_order(guest: Guest, scenario: Scenario) -> IplResult:
    """IPL, let secboot finish or undo and apply again, IPL; what was asked must be running."""
    ipl = scenario.loadparm
    again = guest.run(AGAIN, loadparm=ipl)
    assert again.command_line in {scenario.before, scenario.after}, again.console[-3000:]
    assert again.status("again") == 0, again.output("again")
    assert again.status("plan") == 0, again.output("plan")

    last = guest.run("", loadparm=ipl)
    assert last.command_line == scenario.after, again.console[-3000:]
    tally.survived_power_cut()
    return again


@pytest.fixture(scope="session")
def duration(
    installed: Installed,
    bed: TestBed,
    program_disk: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> float:
    """Seconds from the start of an undisturbed apply to its end, on this machine."""
    guest = Guest.create(bed, tmp_path_factory.mktemp("timed"), program_disk, installed(SECTION))
    with guest.machine(APPLY) as running:
        assert running.wait_for(r"^@@BEGIN apply", 120)
        begun = running.age()
        assert running.wait_for(r"^@@END apply", 120)
        return running.age() - begun


@pytest.mark.parametrize("number", range(CUTS))
def test_killed_in_the_middle_of_an_apply(
    number: int,
    duration: float,
    installed: Installed,
    bed: TestBed,
    program_disk: Path,
    tmp_path: Path,
) -> None:
    scenario = (SECTION, BLS)[number % 2]
    guest = Guest.create(bed, tmp_path, program_disk, installed(scenario))
    # Reading files and importing Python is the first third; nothing is written then.
    moment = duration * (0.33 + 0.67 * (number + 0.5) / CUTS)
    with guest.machine(APPLY, loadparm=scenario.loadparm) as running:
        assert running.wait_for(r"^@@BEGIN apply", 120)
        running.wait_for(r"^@@END apply", moment)
        running.kill()

    assert_comes_up_and_is_put_in_order(guest, scenario)


@pytest.fixture(scope="session")
def recorded(
    installed: Installed,
    bed: TestBed,
    program_disk: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> WriteLog:
    """Every write and flush of one boot of SECTION's disk that applies the profile."""
    directory = tmp_path_factory.mktemp("recorded")
    guest = Guest.create(bed, directory, program_disk, installed(SECTION))
    log = directory / "writes.log"
    result = guest.run(APPLY, write_log=log)
    assert result.status("apply") == 0, result.output("apply")
    recording = WriteLog.read(log)

    rebuilt = directory / "rebuilt.img"
    recording.replay(installed(SECTION), rebuilt, len(recording.requests))
    assert rebuilt.read_bytes() == guest.disk.read_bytes(), "the log is not the whole story"
    return recording


@pytest.mark.parametrize("number", range(CUTS))
def test_replayed_up_to_one_write(
    number: int,
    recorded: WriteLog,
    installed: Installed,
    bed: TestBed,
    program_disk: Path,
    tmp_path: Path,
) -> None:
    guest = Guest(bed, tmp_path, program_disk)
    moments = recorded.write_positions()
    moment = moments[len(moments) * (number + 1) // (CUTS + 1)]
    pending = recorded.unflushed(moment)
    chance = random.Random(number)  # noqa: S311 - repeatable, not secret
    lost = ((), pending, [index for index in pending if chance.random() < 0.5])[number % 3]
    recorded.replay(installed(SECTION), guest.disk, moment, set(lost))

    assert_comes_up_and_is_put_in_order(guest, SECTION)
