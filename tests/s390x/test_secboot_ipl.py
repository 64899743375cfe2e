"""secboot changes a machine, which then IPLs the new line; after a rollback it IPLs the old one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.scenarios import SCENARIOS, SECTION, Installed, Scenario
from tests.s390x.testbed import require_oracle

pytestmark = pytest.mark.ipl


def files_job(scenario: Scenario) -> str:
    return "".join(f"run {path} cat /{path}\n" for path in scenario.files)


@pytest.mark.parametrize("name", SCENARIOS)
def test_apply_inside_then_rollback_inside(name: str, installed: Installed, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    guest = installed.guest(scenario, tmp_path)
    ipl = scenario.loadparm

    applied = guest.run("run apply secboot apply guest\n", loadparm=ipl)
    rolled_back = guest.run(
        "run plan secboot plan guest --detailed-exitcode\n"
        "run show secboot show --output json\n"
        "run rollback secboot rollback\n" + files_job(scenario),
        loadparm=ipl,
    )
    last = guest.run("", loadparm=ipl)

    assert applied.command_line == scenario.before
    assert applied.status("apply") == 0, applied.output("apply")
    assert rolled_back.command_line == scenario.after
    assert rolled_back.status("plan") == 0, rolled_back.output("plan")
    assert scenario.after in parameter_lines(rolled_back.output("show"))
    assert rolled_back.status("rollback") == 0, rolled_back.output("rollback")
    for path, text in scenario.files.items():
        # `run` adds a newline after what the command printed.
        assert rolled_back.output(path) == text + "\n"
    assert last.command_line == scenario.before


def parameter_lines(shown: str) -> list[str]:
    """Every string in the JSON document of `show`, whatever its structure."""
    found: list[str] = []

    def collect(node: object) -> None:
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, dict):
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(json.loads(shown))
    return found


@pytest.mark.oracle
def test_apply_from_outside_on_the_mounted_image(installed: Installed, tmp_path: Path) -> None:
    require_oracle()
    guest = installed.guest(SECTION, tmp_path)

    with LoopDisk(guest.disk) as disk:
        command = [
            sys.executable,
            "-m",
            "secboot",
            "apply",
            "guest",
            "--root",
            os.fspath(disk.mount),
        ]
        applied = subprocess.run(
            command, cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, check=False
        )
        cell = installed.bed.cell(tmp_path / "cell", disk)
        with cell.system(disk.mount):
            written = cell.install()
    booted = guest.run("run rollback secboot rollback\n" + files_job(SECTION))
    last = guest.run("")

    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "Boot record not updated" in applied.stdout
    assert written.parmlines() == {"linux": SECTION.after}
    assert booted.command_line == SECTION.after
    assert booted.status("rollback") == 0, booted.output("rollback")
    assert last.command_line == SECTION.before


def test_what_the_kernel_would_misread_is_refused_and_nothing_changes(
    installed: Installed, tmp_path: Path
) -> None:
    """``prot_virt: true`` looks correct and has no effect; see test_prot_virt_truth."""
    guest = installed.guest(SECTION, tmp_path)
    profile = 'version: 1\nrole: host\nparameters:\n  prot_virt: "true"\n'

    refused = guest.run(
        "run apply secboot apply ./site.yaml\nrun state ls /var/lib\n" + files_job(SECTION),
        {"site.yaml": profile},
    )

    assert refused.status("apply") == 2, refused.output("apply")
    assert "site.yaml:4:" in refused.output("apply")
    assert "secboot" not in refused.output("state")
    for path, text in SECTION.files.items():
        assert refused.output(path) == text + "\n"
