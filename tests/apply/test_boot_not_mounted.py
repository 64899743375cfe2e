"""A rollback while /boot is not mounted, as in a rescue system: nothing is recorded as rolled back."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.demo import write_sample
from tests.apply.test_what_a_rollback_leaves import Machine
from tests.checkpoint.scenes import cut_journal


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    """A machine whose last change was finished, or interrupted by `cut`, and whose /boot is elsewhere."""
    write_sample(tmp_path / "m")
    made = Machine(tmp_path / "m", capsys)
    made.run("apply", "guest")
    return made


def unmount(machine: Machine) -> None:
    (machine.root / "boot").rename(machine.root.with_name("boot"))
    (machine.root / "boot").mkdir()


def mount(machine: Machine) -> None:
    (machine.root / "boot").rmdir()
    machine.root.with_name("boot").rename(machine.root / "boot")


def cut(machine: Machine) -> None:
    cut_journal(machine.root / "var/lib/secboot/checkpoints/1", 1)


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_it_is_refused_and_works_once_boot_is_mounted(
    options: tuple[str, ...], interrupted: bool, machine: Machine
) -> None:
    if interrupted:
        cut(machine)
    unmount(machine)

    refused = machine.run("rollback", *options, code=1)
    cmdline = (machine.root / "etc/kernel/cmdline").read_text()
    mount(machine)
    machine.run("rollback", "1")

    assert "checkpoint 1 are missing: is /boot mounted?\n" in refused.err
    assert f"mount it, then run: secboot rollback 1 --root {machine.root}\n" in refused.err
    assert "swiotlb=262144" in cmdline
    assert "swiotlb=262144" not in machine.run("show").out


def test_another_change_does_not_recover_without_boot(machine: Machine) -> None:
    cut(machine)
    unmount(machine)

    refused = machine.run("apply", "host", code=1)
    mount(machine)
    applied = machine.run("apply", "host")

    assert "is /boot mounted?" in refused.err
    assert "was interrupted and has been rolled back" in applied.out


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_was_removed_on_purpose_stays_away(interrupted: bool, machine: Machine) -> None:
    if interrupted:
        cut(machine)
    unmount(machine)

    machine.run("rollback", "--keep")

    assert "swiotlb=262144" not in (machine.root / "etc/kernel/cmdline").read_text()
    assert list((machine.root / "boot").iterdir()) == []
