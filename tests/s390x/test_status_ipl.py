"""`secboot status` inside the s390x system: before and after apply, zipl, and the IPL."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.s390x.emulator import IplResult
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import SCENARIOS, SECTION, Scenario
from tests.s390x.testbed import TestBed

pytestmark = pytest.mark.ipl

Installed = Callable[[Scenario], Path]
STAGES = ("configured", "installed", "running", "effective")

JOB = """\
run before secboot status guest --output json LAYOUT
run apply secboot apply guest --no-zipl LAYOUT
run applied secboot status guest --output json LAYOUT
run plan secboot plan guest LAYOUT
run zipl zipl
run installed secboot status guest --output json LAYOUT
"""
LAYOUTS = {"bls": "--layout bls"}
"""The guest is a Debian, so that BLS entries contradict what its other files say."""


def stages(booted: IplResult, name: str) -> tuple[str, ...]:
    assert booted.status(name) == 0, booted.output(name)
    found = json.loads(booted.output(name))["requirements"][0]["stages"]
    return tuple(found[stage]["verdict"] for stage in STAGES)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_stage_is_reached_in_its_time(
    name: str, installed: Installed, bed: TestBed, program_disk: Path, tmp_path: Path
) -> None:
    scenario = SCENARIOS[name]
    guest = Guest.create(bed, tmp_path, program_disk, installed(scenario))

    layout = LAYOUTS.get(name, "")

    first = guest.run(JOB.replace("LAYOUT", layout), loadparm=scenario.loadparm)
    job = f"run status secboot status guest --output json {layout}\n"
    second = guest.run(job, loadparm=scenario.loadparm)

    # An emulated machine can't be in Secure Execution mode, where alone swiotlb= has an effect.
    assert stages(first, "before") == ("missing", "missing", "missing", "missing")
    assert first.status("apply") == 0, first.output("apply")
    assert stages(first, "applied") == ("met", "missing", "missing", "missing")
    assert "holds another parameter line" in first.output("plan")
    assert stages(first, "installed") == ("met", "met", "missing", "missing")
    assert stages(second, "status") == ("met", "met", "met", "missing")
    running = json.loads(second.output("status"))["running"]
    assert running["command_line"] == scenario.after
    assert running["origin"].startswith("it is the line of ")
    assert running["runs_in"] == "KVM"
    # The re-IPL device is the disk with the boot record.
    assert running["reipl"]["device"] in running["boot_record_disks"]


def test_a_line_that_no_entry_has_is_told(
    installed: Installed, bed: TestBed, program_disk: Path, tmp_path: Path
) -> None:
    guest = Guest.create(bed, tmp_path, program_disk, installed(SECTION))
    job = "run status secboot status --output json\nrun verify secboot verify guest\n"

    other = guest.run(job, direct=f"{ROOT} rw swiotlb=262144")
    added = guest.run(job, direct=f"{SECTION.before} swiotlb=262144")

    said = json.loads(other.output("status"))["running"]
    assert said["origin"].startswith("it is the line of no boot entry")
    assert "PASS running.swiotlb" in other.output("verify")
    assert "FAIL installed.swiotlb" in other.output("verify")
    assert other.status("verify") == 5
    assert (
        "'swiotlb=262144' was added at IPL"
        in json.loads(added.output("status"))["running"]["origin"]
    )
