"""What a plan warns about the next reboot: it judges the record that zipl will write."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.layout.detect import detect_layout
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.running.firmware import IplSource
from secboot.running.system import Level, LiveFacts, RebootSettings, read_reboot_settings
from secboot.system.root import Root
from tests.situations import make_situation
from tests.status.scenes import Scene


@pytest.fixture
def machine(tmp_path: Path) -> Scene:
    return Scene(make_situation("reipl-parm", tmp_path / "machine"))


def plan(scene: Scene, settings: RebootSettings | None, profile: str = "host") -> Plan:
    with Root(scene.tree) as root:
        loaded, layout = read_profile(profile, root), detect_layout(root)
    return make_plan(
        loaded, scene.machine(running=True), layout, with_zipl=True, live=LiveFacts(settings)
    )


def said(made: Plan) -> list[tuple[str, str]]:
    return [(w.code, w.severity.value) for w in made.warnings if w.code.startswith("reipl")]


@pytest.mark.parametrize(
    ("loadparm", "parm", "codes"),
    [
        ("", None, []),
        ("1", "quiet", []),
        ("2", None, ["reipl-entry"]),
        ("9", None, ["reipl-no-entry"]),
        ("", "=root=/dev/a", ["reipl-text"]),
        ("", "prot_virt=0", ["reipl-text"]),
    ],
)
def test_a_plan_warns_and_is_not_refused(
    machine: Scene, loadparm: str, parm: str | None, codes: list[str]
) -> None:
    made = plan(machine, RebootSettings(IplSource("ccw", "0.0.0120", loadparm, parm)))

    assert said(made) == [(code, "warning") for code in codes]
    assert made.refusal is None


def test_numbers_are_those_of_the_record_that_zipl_will_write(machine: Scene) -> None:
    (machine.tree / "boot/bootmap").unlink()

    made = plan(machine, RebootSettings(IplSource("ccw", "0.0.0120", "3", None)))

    (warning,) = (w for w in made.warnings if w.code == "reipl-entry")
    assert "0-rescue" in warning.message


def test_the_planned_line_is_judged(machine: Scene) -> None:
    settings = RebootSettings(IplSource("ccw", "0.0.0120", "", "prot_virt=0"))

    (warning,) = (w for w in plan(machine, settings, "host-off").warnings if w.code == "reipl-text")

    assert warning.message.endswith("; prot_virt=0 does not enable hosting")


def test_the_settings_of_the_running_system_are_read(machine: Scene) -> None:
    machine.write("sys/firmware/reipl/eckd/scp_data", "=a")
    machine.write("sys/firmware/uv/prot_virt_guest", "1\n")
    with Root(machine.tree) as root:
        found = read_reboot_settings(root, "/boot/bootmap")

    assert found == RebootSettings(
        IplSource("eckd", "0.0.0120", "", "=a"), Level.LPAR, secure_guest=True
    )
