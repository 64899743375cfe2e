"""A change is tried for one IPL of the booted system: it starts once, and fails without harm.

The guest re-IPLs itself, with the LOADPARM that secboot leaves. A LOAD from outside is a new
emulator without a LOADPARM.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.s390x.boot_texts import section
from tests.s390x.emulator import IplResult
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import BLS, MENU, SWIOTLB, Installed, Scenario

pytestmark = pytest.mark.ipl

AUTOMATIC = Scenario(
    "automatic",
    {
        "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\ntarget=/boot\n"
        + section("first", f'"{ROOT} quiet mark=first"')
        + section("second", f'"{ROOT} quiet mark=second"')
    },
    f"{ROOT} quiet mark=first",
    f"{ROOT} quiet mark=first {SWIOTLB}",
)
BY_DEFAULT = {"bls": BLS.before, "menu": f"{ROOT} quiet mark=first", "automatic": AUTOMATIC.before}
"""The line of a LOAD from outside."""
KINDS = {"bls": BLS, "menu": MENU, "automatic": AUTOMATIC}
FAILING = os.environ.get("SECBOOT_TRIAL_KINDS", "bls").split()
"""The kinds on which a trial fails or is dropped; others cost several boots each."""

DEADLY = """\
version: 1
role: host
parameters:
  prot_virt: 1
  facilities:
    exactly: ['158']
"""
"""The kernel believes that this machine has an ultravisor, and dies at its first call."""

LOADPARM = "run {} cat /sys/firmware/reipl/ccw/loadparm\n"
STATUS = "run {} secboot status guest --output json\n"


def files_of(scenario: Scenario) -> str:
    """Script: all files of the boot configuration."""
    return "".join(f"run {path} cat /{path}\n" for path in scenario.files) + (
        "run entries sh -c 'cd /boot/loader/entries && ls'\n"
    )


def require_as_before(result: IplResult, scenario: Scenario) -> None:
    """Require that the boot files are exactly those of the scenario."""
    for path, text in scenario.files.items():
        assert result.output(path) == text + "\n"
    entries = {Path(path).name for path in scenario.files if path.endswith(".conf")} - {"zipl.conf"}
    assert set(result.output("entries").split()) == entries


def trial_of(result: IplResult, name: str) -> dict[str, Any]:
    """The trial in a status document."""
    found = json.loads(result.output(name))["trial"]
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_once_and_is_confirmed(kind: str, installed: Installed, tmp_path: Path) -> None:
    scenario, before = KINDS[kind], BY_DEFAULT[kind]
    guest = installed.guest(scenario, tmp_path)

    tried = guest.reipl(
        [
            "run trial secboot apply guest --trial\n"
            + LOADPARM.format("chosen")
            + STATUS.format("waiting"),
            STATUS.format("running")
            + "run confirm secboot confirm\n"
            + LOADPARM.format("restored")
            + STATUS.format("confirmed"),
        ],
        {},
    )
    loaded = guest.run("run plan secboot plan guest --detailed-exitcode\n")

    assert tried.status("trial") == 0, tried.output("trial")
    number = tried.output("chosen").strip()
    assert number == "3"
    assert trial_of(tried, "waiting")["state"] == "waiting"
    assert len(tried.command_lines) == 2, tried.console[-3000:]
    first, second = tried.command_lines
    assert (first, second) == (before, f"{before} {SWIOTLB}")
    assert trial_of(tried, "running")["state"] == "running"
    assert tried.status("confirm") == 0, tried.output("confirm")
    assert tried.output("restored").strip() == ""
    assert json.loads(tried.output("confirmed"))["trial"] is None
    assert loaded.command_line == f"{before} {SWIOTLB}"
    assert loaded.status("plan") == 0, loaded.output("plan")


@pytest.mark.parametrize("kind", FAILING)
def test_a_kernel_that_dies_leaves_the_old_one_to_a_load_from_outside(
    kind: str, installed: Installed, tmp_path: Path
) -> None:
    scenario, before = KINDS[kind], BY_DEFAULT[kind]
    guest = installed.guest(scenario, tmp_path)

    died = guest.reipl(
        ["run trial secboot apply ./deadly.yaml --trial\n", "run never true\n"],
        {"deadly.yaml": DEADLY},
    )
    loaded = guest.run(
        STATUS.format("failed")
        + "run confirm secboot confirm\n"
        + "run rollback secboot rollback\n"
        + STATUS.format("dropped")
        + files_of(scenario)
    )
    last = guest.run("")

    assert died.status("trial") == 0, died.output("trial")
    assert died.command_lines == [before]
    # The trial's entry was started, and its kernel never reported.
    assert "LOADPARM=[3       ]" in died.console, died.console[-2000:]
    assert not died.finished
    assert loaded.command_line == before
    assert trial_of(loaded, "failed")["state"] == "failed"
    assert loaded.status("confirm") == 1
    assert loaded.status("rollback") == 0, loaded.output("rollback")
    assert json.loads(loaded.output("dropped"))["trial"] is None
    require_as_before(loaded, scenario)
    assert last.command_line == before


@pytest.mark.parametrize("kind", FAILING)
def test_it_is_dropped_before_the_reboot(kind: str, installed: Installed, tmp_path: Path) -> None:
    scenario = KINDS[kind]
    guest = installed.guest(scenario, tmp_path)

    result = guest.reipl(
        [
            "run trial secboot apply guest --trial\nrun rollback secboot rollback\n"
            + LOADPARM.format("restored")
            + files_of(scenario),
            "",
        ],
        {},
    )

    assert result.status("trial") == result.status("rollback") == 0, result.console[-3000:]
    assert result.output("restored").strip() == ""
    require_as_before(result, scenario)
    assert result.command_lines == [BY_DEFAULT[kind]] * 2
