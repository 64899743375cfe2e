"""SUSE: one file is edited, both programs run, and what they generated is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from secboot.apply.apply import ApplyResult, apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import roll_back
from secboot.apply.zipl import Zipl
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RefusedError, RolledBackError
from secboot.layout.detect import detect_layout
from secboot.layout.suse_chain import grub_menu
from secboot.machine.discovery import Machine, discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.system.programs import SystemRunner
from secboot.system.root import Root
from tests.layout.suse_programs import VERSION, make_suse, mkconfig, suse_runner, variables
from tests.trees import snapshot

MKCONFIG = ("grub2-mkconfig", "-o", "/boot/grub2/grub.cfg")
SETUP = ("grub2-zipl-setup",)


@pytest.fixture(params=["zipl2grub.conf.in", "zipl2grub.conf.in-2.02"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_suse(tmp_path / "root", request.param)


def target(root: Path, runner: SystemRunner | None) -> ManagedRoot:
    tree = Root(root)
    layout = detect_layout(tree)
    programs = tuple(program.argv for program in layout.commit)
    return ManagedRoot(
        root=tree,
        state=StateDirectory(tree, None),
        zipl=None if runner is None else Zipl(runner, 20.0, programs=programs),
        layout=layout,
        environment=None,
        command=("secboot", "apply", "host"),
        notice=lambda _: None,
    )


def planner(root: Path, name: str = "host") -> Callable[[Machine], Plan]:
    with Root(root) as tree:
        profile = read_profile(name, tree)
        layout = detect_layout(tree)

    def make(machine: Machine) -> Plan:
        """Plan as if the boot record were up to date: no zipl writes one here."""
        machine = machine._replace(bootmap=machine.bootmap.unread())
        return make_plan(profile, machine, layout, with_zipl=True)

    return make


def plan(root: Path, name: str = "host") -> Plan:
    with Root(root) as tree:
        return planner(root, name)(discover(tree, detect_layout(tree).sources))


def apply(root: Path, runner: SystemRunner | None) -> ApplyResult:
    return apply_plan(target(root, runner), planner(root))


def calls(directory: Path) -> list[str]:
    file = directory / "calls"
    return file.read_text().splitlines() if file.exists() else []


def parameter_lines(root: Path) -> list[str]:
    with Root(root) as tree:
        machine = discover(tree, detect_layout(tree).sources)
    menu = grub_menu(machine.documents)
    assert menu.default is not None
    entries = machine.configuration.entries
    return [menu.default.parameters or "", *(entry.parmline or "" for entry in entries)]


def test_both_stages_get_the_parameter(root: Path, tmp_path: Path) -> None:
    assert [command.argv for command in plan(root).commands] == [MKCONFIG, SETUP]

    result = apply(root, suse_runner(tmp_path / "bin", root))

    assert calls(tmp_path / "bin") == [
        "grub2-mkconfig -o /boot/grub2/grub.cfg",
        "grub2-zipl-setup",
    ]
    assert result.zipl is not None
    assert result.zipl.facts()["before"] == [list(MKCONFIG)]
    assert variables(root)["GRUB_CMDLINE_LINUX_DEFAULT"].endswith(" prot_virt=1")
    assert all("prot_virt=1" in line.split() for line in parameter_lines(root))
    assert plan(root).is_empty


def test_a_new_kernel_inherits_it(root: Path, tmp_path: Path) -> None:
    apply(root, suse_runner(tmp_path / "bin", root))

    mkconfig(root, VERSION.replace("21", "23"))

    assert all("prot_virt=1" in line.split() for line in parameter_lines(root))
    assert plan(root).is_empty


def test_rollback_runs_both_programs_too(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    runner = suse_runner(tmp_path / "bin", root)
    apply(root, runner)

    result = roll_back(target(root, runner), None)

    assert result.files == ("/etc/default/grub",)
    assert len(calls(tmp_path / "bin")) == 4
    assert snapshot(root) == before


def test_a_failing_second_program_puts_all_back(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    mark = tmp_path / "failed"
    once = f"[ -e '{mark}' ] || {{ touch '{mark}'; echo 'no space left' >&2; exit 1; }}"

    with pytest.raises(RolledBackError, match="grub2-zipl-setup failed: no space left"):
        apply(root, suse_runner(tmp_path / "bin", root, once))

    # The first program ran with the new text, and then again with the old one.
    assert snapshot(root) == before


def test_a_program_that_reports_success_for_nothing_is_found_out(
    root: Path, tmp_path: Path
) -> None:
    """pbl skips a missing script and returns 0; the generated file then has the old line."""
    before = snapshot(root)

    with pytest.raises(RolledBackError, match="grub2-zipl-setup"):
        apply(root, suse_runner(tmp_path / "bin", root, "exit 0"))

    assert snapshot(root) == before


def test_only_the_stale_half_is_regenerated(root: Path, tmp_path: Path) -> None:
    runner = suse_runner(tmp_path / "bin", root)
    apply(root, runner)
    grub_cfg = root / "boot/grub2/grub.cfg"
    grub_cfg.write_text(grub_cfg.read_text().replace(" prot_virt=1", ""))

    assert [command.argv for command in plan(root).commands] == [MKCONFIG]
    apply(root, runner)

    assert calls(tmp_path / "bin")[2:] == ["grub2-mkconfig -o /boot/grub2/grub.cfg"]
    assert plan(root).is_empty


def test_a_missing_program_is_reported_before_anything_changes(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    (tmp_path / "bin").mkdir()

    with pytest.raises(RefusedError, match="grub2-mkconfig is not installed here"):
        apply(root, SystemRunner((str(tmp_path / "bin"),)))

    assert snapshot(root) == before


def test_update_bootloader_is_used_where_the_programs_are_missing(root: Path) -> None:
    program = root / "usr/sbin/update-bootloader"
    program.parent.mkdir(parents=True)
    program.write_text("")

    assert [command.argv for command in plan(root).commands] == [
        ("update-bootloader", "--config"),
        ("update-bootloader", "--reinit"),
    ]


def test_a_selection_that_one_line_can_not_express_is_reported(root: Path) -> None:
    profiles = root / "etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "one.yaml").write_text("version: 1\nextends: host\nentries: default\n")

    assert "all-entries" in {warning.code for warning in plan(root, "one").warnings}
    assert "all-entries" not in {warning.code for warning in plan(root).warnings}
