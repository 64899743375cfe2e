"""A host or guest whose kernel comes from no boot entry: direct boot, pod VMs, Secure Execution images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secboot.report.made import made
from secboot.report.monitoring import metrics
from secboot.report.reported import Standing, read_machine
from secboot.report.status import status_document, status_text
from secboot.report.style import PLAIN
from secboot.report.verify import verify_document
from secboot.status.checks import make_checks
from secboot.status.stages import Stage, Status
from tests.command import act_on_running_system, secboot
from tests.report.test_fleet import ALL
from tests.status.scenes import Scene, add_system, log, make_scene, only, verdicts

MAPPED = "software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A system that QEMU started with -kernel, with the /sys/firmware that was seen in one."""
    scene = Scene(tmp_path)
    scene.write("etc/os-release", "ID=ubuntu\n")
    for name, text in (
        *(("ipl/ipl_type", "unknown"), ("ipl/has_secure", "0"), ("reipl/reipl_type", "unknown")),
        *(("reipl/ccw/device", "0.0.0000"), ("reipl/ccw/loadparm", ""), ("reipl/ccw/clear", "0")),
        *(("reipl/fcp/bootprog", "0"), ("reipl/fcp/scp_data", "")),
    ):
        scene.write(f"sys/firmware/{name}", f"{text}\n")
    return scene


def causes(status: Status) -> list[str]:
    return [cause.code for cause in only(status).stages[Stage.RUNNING].causes]


def test_a_secure_guest_is_answered_at_the_last_two_stages(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "root=/dev/vda swiotlb=262144", "guest")

    status = scene.status("guest", log(MAPPED))

    assert verdicts(status) == "...++"
    assert [(n.code, n.severity) for n in status.notices] == [("no-configuration", "note")]
    text = status_text(status, PLAIN)
    assert "Boot record   not applicable: no zipl configuration\n" in text
    assert "Reboot        unknown: the kernel was not IPLed from a device\n" in text
    assert "Boot entries" not in text


def test_the_line_of_an_image_is_changed_by_a_rebuild(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "root=/dev/vda", "guest")

    status = scene.status("guest", log())

    assert verdicts(status)[3] == "-"
    assert causes(status) == ["sealed-line"]


def test_the_line_of_a_direct_kernel_boot_is_changed_on_the_host(scene: Scene) -> None:
    add_system(scene, "z16-kvm-guest-unpack", "root=/dev/vda")

    status = scene.status("guest", log())

    assert causes(status) == ["line-from-outside"]
    (cause,) = only(status).stages[Stage.RUNNING].causes
    assert "<cmdline>" in (cause.hint or "")
    assert status.origin is not None
    assert status.origin.description == cause.message


def test_boot_files_in_the_disk_image_of_a_direct_kernel_boot_are_no_reason(tmp_path: Path) -> None:
    """A reboot starts the same kernel with the same line again, whatever the boot record has."""
    scene = make_scene(tmp_path, "section")
    scene.write("etc/os-release", "ID=debian\n")
    scene.write("sys/firmware/ipl/ipl_type", "unknown\n")
    add_system(scene, "z16-kvm-guest-unpack", "root=/dev/vda")

    status = scene.status("guest", log())

    assert verdicts(status)[0] + verdicts(status)[3] == "+-"
    assert causes(status) == ["line-from-outside"]


def test_what_started_a_host_without_configuration_is_not_guessed(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", "root=/dev/sda", "host-capable-param-missing")

    status = scene.status("host", log())

    assert verdicts(status) == "...--"
    (cause,) = only(status).stages[Stage.RUNNING].causes
    assert (cause.code, cause.hint) == ("line-from-outside", None)


def test_metrics_and_fleet_have_the_stages_that_apply(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "root=/dev/vda swiotlb=262144", "guest")
    status = scene.status("guest", log(MAPPED))
    checks = make_checks(status, Stage.EFFECTIVE)

    text = metrics("guest", checks, Stage.EFFECTIVE, made({}))
    documents = (status_document(status), verify_document(status, checks, Stage.EFFECTIVE))

    assert [line for line in text.splitlines() if line.startswith("secboot_check")] == [
        'secboot_check{check="running.swiotlb",entry="",file="",profile="guest"} 1',
        'secboot_check{check="effective.swiotlb",entry="",file="",profile="guest"} 1',
        'secboot_checks_failed{profile="guest",stage="effective"} 0',
    ]
    for document in documents:
        found = read_machine("pod", "pod.json", json.dumps(document).encode(), ALL)
        assert (found.standing, found.findings) == (Standing.MET, ())
        assert [found.stages[stage] for stage in Stage] == [
            *("not-applicable", "not-applicable", "not-applicable", "met", "met")
        ]


def test_show_tells_nobody_to_run_zipl(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    act_on_running_system(monkeypatch)
    add_system(scene, "z16-se-guest", "root=/dev/vda", "guest")

    said = secboot(capsys, "show", "--root", scene.tree)

    assert said.code == 0, said.err
    assert "Boot record  not applicable: no zipl configuration\n" in said.out
    assert "run: " not in said.out
