"""For each layout: plan, apply, install a kernel by the distribution's own rules, plan again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import secboot
from tests.layout.machines import SYSTEMS, System
from tests.trees import snapshot

VERSION = "9.9.9-1.s390x"
RUNNING = "root=/dev/mapper/vg-root rd.dasd=0.0.0200 BOOT_IMAGE=0"
WORDS = {"host": "prot_virt=1", "guest": "swiotlb=262144"}


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    return SYSTEMS[request.param]


@pytest.fixture
def root(system: System, tmp_path: Path) -> Path:
    return system.make(tmp_path / "root")


def planned(capsys: pytest.CaptureFixture[str], profile: str, root: Path) -> dict[str, Any]:
    said = secboot(capsys, "plan", profile, "--root", root, "--output", "json")
    assert said.code == 0, said.err
    plan = json.loads(said.out)
    assert isinstance(plan, dict)
    return plan


def lines(capsys: pytest.CaptureFixture[str], root: Path) -> dict[str, list[str]]:
    said = secboot(capsys, "show", "--root", root, "--output", "json")
    shown = json.loads(said.out)
    return {e["name"]: (e["parameters"] or "").split() for e in shown["entries"]}


@pytest.mark.parametrize("profile", ["host", "guest"])
def test_a_kernel_installed_after_apply_is_true_to_the_profile(
    profile: str, system: System, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)
    word = WORDS[profile]
    plan = planned(capsys, profile, root)
    assert snapshot(root) == before

    assert secboot(capsys, "apply", profile, "--root", root).code == 0
    promised = all(store["met"] for store in plan["stores"]) and bool(plan["stores"])
    applied = snapshot(root)
    running = f"{RUNNING} {word}"  # the machine has been rebooted
    system.install(root, VERSION, running)

    assert all(word in words for words in lines(capsys, root).values())
    again = planned(capsys, profile, root)
    assert not again["files"] or not promised
    assert {path for path in applied if path.startswith("etc/kernel")} <= set(snapshot(root))


def test_what_the_plan_promises_of_later_kernels_holds(
    system: System, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a reboot, the running line is the old one (the classic way to lose a parameter)."""
    plan = planned(capsys, "host", root)
    assert secboot(capsys, "apply", "host", "--root", root).code == 0
    (store,) = plan["stores"]

    system.install(root, VERSION, RUNNING)

    lost = [name for name, words in lines(capsys, root).items() if "prot_virt=1" not in words]
    if store["met"]:
        assert not lost
    elif store["met"] is False:
        # No link follows new kernels: the section always boots the same kernel.
        assert "instead of a link that follows" in store["note"]
    else:
        # Without /etc/kernel/cmdline the plan promises nothing, and reports this.
        assert store["met"] is None
        assert "/proc/cmdline" in store["note"]
        assert len(lost) == 1
        # The hook for kernel-install then calls:
        kept = secboot(capsys, "keep", "--root", root)
        assert kept.code == 0, kept.err
        assert all("prot_virt=1" in words for words in lines(capsys, root).values())
        assert not (root / "etc/kernel/cmdline").exists()


def test_rollback_restores_every_byte_if_no_kernel_came(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)

    assert secboot(capsys, "apply", "host", "--root", root).code == 0
    if snapshot(root) != before:
        assert secboot(capsys, "rollback", "--root", root).code == 0

    assert snapshot(root) == before


def test_rollback_after_a_kernel_came_leaves_its_entry(
    system: System, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    system.install(root, VERSION, RUNNING)
    installed = snapshot(root)

    undone = secboot(capsys, "rollback", "--root", root)

    assert undone.code == 0, undone.err
    assert set(installed) <= set(snapshot(root))
    if system.layout == "rhel7":
        # grubby added a section to the applied file: it stays, without the parameter.
        text = (root / "etc/zipl.conf").read_text()
        assert f"vmlinuz-{VERSION}" in text
        assert "swiotlb" not in text


def test_the_layout_is_detected_from_the_files_in_the_tree(
    system: System, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json.loads(secboot(capsys, "show", "--root", root, "--output", "json").out)

    assert shown["layout"] == system.layout
    assert shown["layout_seen"]
