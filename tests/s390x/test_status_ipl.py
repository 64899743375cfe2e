"""`secboot status` on a machine that really passes through the stages, IPL by IPL."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.command import secboot
from tests.s390x.emulator import IplResult
from tests.s390x.scenarios import SECTION, SWIOTLB, Installed
from tests.s390x.testbed import TestBed

pytestmark = pytest.mark.ipl

STAGES = ("configured", "inherited", "installed", "running")
STATUS = "run {} secboot status guest --output json\n"

BEFORE_IPL = (
    STATUS.format("before")
    + "run apply secboot apply guest --no-zipl\n"
    + STATUS.format("edited")
    + "run zipl zipl\n"
    + STATUS.format("written")
)
AFTER_IPL = STATUS.format("ipled") + "run verify secboot verify guest --stage running\n"


def verdicts(status: dict[str, Any]) -> dict[str, str]:
    (requirement,) = status["requirements"]
    return {stage: requirement["stages"][stage]["verdict"] for stage in STAGES}


def reached(*stages: str) -> dict[str, str]:
    """Only this is met; the guest's kernel is a file, which a new kernel need not replace."""
    met = {stage: "unknown" if stage == "inherited" else "met" for stage in stages}
    return {stage: met.get(stage, "missing") for stage in STAGES}


def document(result: IplResult, name: str) -> dict[str, Any]:
    assert result.status(name) == 0, result.output(name)
    found: dict[str, Any] = json.loads(result.output(name))
    return found


def test_each_step_brings_the_machine_one_stage_further(
    installed: Installed, tmp_path: Path
) -> None:
    guest = installed.guest(SECTION, tmp_path)

    first = guest.run(BEFORE_IPL)
    second = guest.run(AFTER_IPL)

    assert first.status("apply") == 0, first.output("apply")
    assert "Boot record not updated" in first.output("apply")
    assert first.status("zipl") == 0, first.output("zipl")
    assert verdicts(document(first, "before")) == reached()
    assert verdicts(document(first, "edited")) == reached("configured", "inherited")
    assert verdicts(document(first, "written")) == reached("configured", "inherited", "installed")
    ipled = document(second, "ipled")
    assert verdicts(ipled) == reached(*STAGES)
    assert ipled["running"]["command_line"] == SECTION.after
    assert second.status("verify") == 0, second.output("verify")


def test_a_kernel_that_the_hypervisor_loaded_was_not_started_from_the_boot_record(
    installed: Installed, tmp_path: Path
) -> None:
    """As with <kernel> and <cmdline> in a libvirt domain: the line is the hypervisor's."""
    guest = installed.guest(SECTION, tmp_path)

    meets = guest.run(STATUS.format("status"), direct=f"{SECTION.before} {SWIOTLB} added=1")
    fails = guest.run(STATUS.format("status"), direct=SECTION.before.split()[0])

    status = document(meets, "status")
    assert verdicts(status) == reached("running")
    assert "the hypervisor loaded it" in status["running"]["origin"]
    status = document(fails, "status")
    assert verdicts(status) == reached()
    assert "the hypervisor loaded it" in status["running"]["origin"]


def test_an_unpacked_tree_waits_for_its_zipl(
    bed: TestBed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, text in SECTION.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "boot").mkdir()
    shutil.copyfile(bed.kernel, tmp_path / "boot/vmlinuz")
    shutil.copyfile(bed.initramfs, tmp_path / "boot/initrd")

    applied = secboot(capsys, "apply", "guest", "--root", tmp_path)
    shown = secboot(capsys, "status", "guest", "--root", tmp_path, "--output", "json")

    assert applied.code == 0, applied.err
    assert "Boot record not updated" in applied.out
    found = verdicts(json.loads(shown.out))
    assert found["configured"] == "met"
    assert found["installed"] == "missing"
    assert found["running"] == "not-applicable"
