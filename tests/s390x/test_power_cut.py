"""The power fails during an apply, a trial or a confirmation: the machine boots, and secboot recovers.

Two models of a cut. *Killed*: the emulator dies when an apply has written some of its data; the
disk keeps every write that the guest had issued, in order, and loses what was in the guest's page
cache.
*Replayed*: one apply is recorded with every write and flush, and the disk is rebuilt in its state
after any of those writes, with all, some or none of the writes since the last flush lost, as a disk
with a volatile cache may lose them. Neither model has torn blocks.
"""

import os
import random
import re
from pathlib import Path

import pytest

from tests.s390x import tally
from tests.s390x.emulator import IplResult
from tests.s390x.guest import Guest
from tests.s390x.scenarios import BLS, SECTION, Installed, Scenario
from tests.s390x.write_log import WriteLog
from tests.workshop import Workshop

pytestmark = [pytest.mark.ipl, pytest.mark.fault]

CUTS = int(os.environ.get("SECBOOT_POWER_CUTS", "2"))
"""Moments per test and model; can be increased for a long run."""

TRIAL_CUTS = max(CUTS // 3, 1)

APPLY = "run apply secboot apply guest\n"
AGAIN = "run again secboot apply guest\nrun plan secboot plan guest --detailed-exitcode\n"


UNDONE = "was interrupted and has been rolled back"
"""The message of secboot when it finds an interrupted change."""
ENDED = re.compile(r"^@@END apply", re.MULTILINE)
TRIAL = "run apply secboot apply guest --trial\n"
CONFIRM = "run apply secboot confirm\n"
CHOSEN = "3"
"""The number of a trial on the machine with two BLS entries."""
ATTEMPTS = 4


def assert_comes_up_and_is_put_in_order(guest: Guest, scenario: Scenario) -> IplResult:
    """IPL, let secboot undo the unfinished change and apply again, IPL; the new line must run."""
    ipl = scenario.loadparm
    again = guest.run(AGAIN, loadparm=ipl)
    assert again.command_line in {scenario.before, scenario.after}, again.console[-3000:]
    assert again.status("again") == 0, again.output("again")
    assert again.status("plan") == 0, again.output("plan")

    last = guest.run("", loadparm=ipl)
    assert last.command_line == scenario.after, again.console[-3000:]
    return again


@pytest.fixture(scope="session")
def written(installed: Installed, workshop: Workshop) -> int:
    """Bytes by which the log of writes grows during an undisturbed apply."""

    def measure(directory: Path) -> None:
        guest = installed.guest(SECTION, directory)
        log = directory / "writes.log"
        with guest.machine(APPLY, write_log=log) as running:
            assert running.wait_for(r"^@@BEGIN apply", 120)
            begun = log.stat().st_size
            assert running.wait_for(ENDED.pattern, 120)
            (directory / "written").write_text(str(log.stat().st_size - begun))

    return int((workshop.directory("measured", measure) / "written").read_text())


@pytest.mark.parametrize("number", range(CUTS))
def test_killed_in_the_middle_of_an_apply(
    number: int,
    written: int,
    installed: Installed,
    tmp_path: Path,
) -> None:
    scenario = (SECTION, BLS)[number % 2]
    share = (number + 0.5) / CUTS
    for _ in range(ATTEMPTS):
        guest = installed.guest(scenario, tmp_path)
        if killed_during(guest, APPLY, scenario.loadparm, round(written * share)):
            break
        # The other scenario writes less, or the guest was faster than the polling of its log.
        share *= 0.7
    else:
        pytest.fail(f"each of {ATTEMPTS} applies ended before it was killed")

    again = assert_comes_up_and_is_put_in_order(guest, scenario)

    tally.survived_power_cut("killed", undone=UNDONE in again.output("again"))


@pytest.fixture(scope="session")
def on_trial(installed: Installed, workshop: Workshop) -> Path:
    """The disk of a machine where a change is tried, and which has not been IPLed since."""

    def make(directory: Path) -> None:
        tried = installed.guest(BLS, directory).run(TRIAL)
        assert tried.status("apply") == 0, tried.output("apply")

    return workshop.directory("on-trial", make) / "disk.img"


@pytest.mark.parametrize("number", range(TRIAL_CUTS))
@pytest.mark.parametrize("what", ["trial", "confirm"])
def test_killed_in_the_middle_of_a_trial_and_its_confirmation(
    what: str,
    number: int,
    written: int,
    installed: Installed,
    on_trial: Path,
    tmp_path: Path,
) -> None:
    """A LOAD from outside, without LOADPARM, starts the old line or the confirmed one."""
    share = (number + 0.5) / TRIAL_CUTS
    for _ in range(ATTEMPTS):
        if what == "trial":
            guest = installed.guest(BLS, tmp_path)
            killed = killed_during(guest, TRIAL, "", round(written * share))
        else:
            guest = Guest.create(installed.bed, tmp_path, installed.program, on_trial)
            killed = killed_during(guest, CONFIRM, CHOSEN, round(written * share))
        if killed:
            break
        share *= 0.7
    else:
        pytest.fail(f"each of {ATTEMPTS} ended before it was killed")

    # A rollback first only closes the interrupted change; then the trial itself is dropped.
    drop = "run end secboot rollback\nrun drop secboot rollback\n"
    found = guest.run(drop + AGAIN)
    last = guest.run("")

    lines = {BLS.before} if what == "trial" else {BLS.before, BLS.after}
    assert found.command_line in lines, found.console[-3000:]
    # If nothing is left to close or drop, that is refused.
    assert {found.status("end"), found.status("drop")} <= {0, 1}, found.output("drop")
    assert found.status("again") == 0, found.output("again")
    assert found.status("plan") == 0, found.output("plan")
    assert "secboot trial" not in found.output("plan")
    assert last.command_line == BLS.after, last.console[-3000:]
    tally.survived_power_cut("killed", undone=UNDONE in found.output("end"))


def killed_during(guest: Guest, job: str, loadparm: str, written: int) -> bool:
    """Kill the emulator after a change has written this much; return whether it was unfinished."""
    log = guest.directory / "writes.log"
    with guest.machine(job, loadparm=loadparm, write_log=log) as running:
        assert running.wait_for(r"^@@BEGIN apply", 120)
        until = log.stat().st_size + written
        while log.stat().st_size < until and not running.wait_for(ENDED.pattern, 0.002):
            pass
        return not ENDED.search(running.collect().console)


@pytest.fixture(scope="session")
def recorded(installed: Installed, workshop: Workshop) -> WriteLog:
    """Every write and flush of one boot of SECTION's disk that applies the profile."""

    def record(directory: Path) -> None:
        guest = installed.guest(SECTION, directory)
        log = directory / "writes.log"
        result = guest.run(APPLY, write_log=log)
        assert result.status("apply") == 0, result.output("apply")
        recording = WriteLog.read(log)
        rebuilt = directory / "rebuilt.img"
        recording.replay(installed.image(SECTION), rebuilt, len(recording.requests))
        assert rebuilt.read_bytes() == guest.disk.read_bytes(), "the log is not the whole story"

    return WriteLog.read(workshop.directory("recorded", record) / "writes.log")


@pytest.mark.parametrize("number", range(CUTS))
def test_replayed_up_to_one_write(
    number: int,
    recorded: WriteLog,
    installed: Installed,
    tmp_path: Path,
) -> None:
    guest = Guest(installed.bed, tmp_path, installed.program)
    moments = recorded.write_positions()
    moment = moments[len(moments) * (number + 1) // (CUTS + 1)]
    pending = recorded.unflushed(moment)
    chance = random.Random(number)  # noqa: S311 - repeatable, not secret
    lost = ((), pending, [index for index in pending if chance.random() < 0.5])[number % 3]
    recorded.replay(installed.image(SECTION), guest.disk, moment, set(lost))

    again = assert_comes_up_and_is_put_in_order(guest, SECTION)

    tally.survived_power_cut("replayed", undone=UNDONE in again.output("again"))
