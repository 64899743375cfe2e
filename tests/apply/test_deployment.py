"""The rpm-ostree command of the plan, run on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secboot.apply.apply import ApplyResult, run_deployment_command
from secboot.apply.change import ManagedRoot
from secboot.apply.zipl import Zipl
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RefusedError
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.report.outcome import apply_document
from secboot.system.programs import SystemRunner
from secboot.system.root import Root
from tests.command import secboot
from tests.trees import make_sample_tree, snapshot

ENTRY = 'title A\nversion 1\nlinux /boot/vmlinuz\noptions x="a b" swiotlb=512M ostree=/ostree/1\n'
KARGS = ["kargs", "--delete=swiotlb=512M", "--append-if-missing=swiotlb=262144"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_sample_tree("library-zipl-conf", tmp_path / "root")
    (root / "ostree/repo").mkdir(parents=True)
    (root / "boot/loader/entries/ibm.conf").write_text(ENTRY)
    (root / "boot/vmlinuz").write_bytes(b"")
    return root


def run(
    root: Path, directory: Path, body: str, *, chroot: str | None = None, more: str = "/usr/bin"
) -> ApplyResult | None:
    directory.mkdir()
    program = directory / "rpm-ostree"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{directory}/words"\n{body}\n')
    program.chmod(0o755)
    zipl = Zipl(SystemRunner((str(directory), more, "/usr/bin", "/bin")), 20.0, chroot=chroot)
    with Root(root) as tree:
        profile = read_profile("guest", tree)

        layout = detect_layout(tree)

        def make(machine: Machine) -> Plan:
            return make_plan(profile, machine, layout, with_zipl=True)

        target = ManagedRoot(
            tree, StateDirectory(tree), zipl, layout, None, ("secboot",), lambda _: None
        )
        return run_deployment_command(target, make, lambda _: None)


def test_the_command_of_the_plan_is_run_and_no_file_is_touched(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)

    result = run(root, tmp_path / "bin", "exit 0")

    assert result is not None
    assert apply_document(result)["changed"]
    assert not result.zipl_pending
    assert (tmp_path / "bin/words").read_text().splitlines() == KARGS
    assert snapshot(root) == before


def test_a_failure_is_one(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="rpm-ostree failed: error: Transaction in progress"):
        run(root, tmp_path / "bin", "echo 'error: Transaction in progress' >&2; exit 1")


def test_the_next_way_is_tried_when_one_fails(root: Path, tmp_path: Path) -> None:
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    for name in ("bootc", "rpm-ostree"):
        (root / "usr/bin" / name).touch()
    old = tmp_path / "old"
    old.mkdir()
    (old / "bootc").write_text("#!/bin/sh\necho unrecognized subcommand >&2\nexit 2\n")
    (old / "bootc").chmod(0o755)

    expected = "^bootc failed: unrecognized subcommand; rpm-ostree failed: too busy$"
    with pytest.raises(RefusedError, match=expected):
        run(root, tmp_path / "one", "echo too busy >&2; exit 1", more=str(old))
    result = run(root, tmp_path / "two", "exit 0", more=str(old))

    assert result is not None
    assert (tmp_path / "two/words").read_text().splitlines() == KARGS


def test_nothing_is_run_when_the_deployment_is_as_asked(root: Path, tmp_path: Path) -> None:
    (root / "boot/loader/entries/ibm.conf").write_text(ENTRY.replace("512M", "262144"))

    assert run(root, tmp_path / "bin", "exit 0") is None
    assert not (tmp_path / "bin/words").exists()


def test_an_image_is_not_managed_from_outside(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="only the deployments of the running system"):
        run(root, tmp_path / "bin", "exit 0", chroot=str(root))
    assert not (tmp_path / "bin/words").exists()


def test_the_option(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "apply", "guest", "--root", root, "--run-kargs")
    assert (said.code, "only the deployments of the running system" in said.err) == (1, True)

    plan = json.loads(secboot(capsys, "plan", "guest", "--root", root, "-o", "json").out)
    assert plan["steps"][0]["argv"] == ["rpm-ostree", *KARGS]
