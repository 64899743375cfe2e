"""``rollback --dry-run`` shows what the real rollback then does, byte for byte, and writes nothing."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from secboot.checkpoint.access import write_access
from secboot.checkpoint.state_directory import StateDirectory
from secboot.demo import write_sample
from secboot.system.root import Root
from tests.apply.test_what_a_rollback_leaves import CURRENT, ENTRIES, OLD, Machine
from tests.checkpoint.scenes import cut_journal
from tests.command import Said, secboot
from tests.terminal import terminal


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    write_sample(tmp_path / "m")
    made = Machine(tmp_path / "m", capsys)
    made.run("apply", "host")
    return made


def edit(machine: Machine) -> None:
    entry = machine.entry(CURRENT)
    entry.write_text(entry.read_text() + "# mine\n")


def lose_the_kernel(machine: Machine) -> None:
    """Make zipl refuse the files, whatever their lines are; zipl is installed but never run."""
    (machine.root / f"boot/vmlinuz-{CURRENT}").unlink()
    zipl = machine.root / "usr/sbin/zipl"
    zipl.parent.mkdir(parents=True)
    zipl.write_text("#!/bin/sh\n")
    zipl.chmod(0o755)


def cut(machine: Machine) -> None:
    cut_journal(machine.root / "var/lib/secboot/checkpoints/1", 1)


def cut_and_edit(machine: Machine) -> None:
    edit(machine)
    cut(machine)


def cut_a_later_one(machine: Machine) -> None:
    machine.run("apply", "guest")
    cut_journal(machine.root / "var/lib/secboot/checkpoints/2", 1)


def undo(machine: Machine) -> None:
    machine.run("rollback")


SITUATIONS: dict[str, tuple[Callable[[Machine], object], tuple[str, ...]]] = {
    "as it was": (lambda _: None, ()),
    "a new kernel": (Machine.install_kernel, ()),
    "a new kernel, left": (Machine.install_kernel, ("--leave-new",)),
    "a kernel removed": (lambda machine: machine.remove_kernel(OLD), ()),
    "a kernel removed, by force": (lambda machine: machine.remove_kernel(OLD), ("--force",)),
    "edited": (edit, ()),
    "edited, kept": (edit, ("--keep",)),
    "edited, by force": (edit, ("--force",)),
    "zipl is missing": (lambda _: None, ("--zipl",)),
    "the kernel of the default is missing": (lose_the_kernel, ("--zipl",)),
    "interrupted": (cut, ()),
    "interrupted, named": (cut, ("1",)),
    "interrupted and edited": (cut_and_edit, ()),
    "interrupted and edited, by force": (cut_and_edit, ("--force",)),
    "an interrupted later one": (cut_a_later_one, ()),
    "undone already": (undo, ()),
    "undone already, named": (undo, ("1",)),
    "the rollback itself": (undo, ("2",)),
    "no such checkpoint": (lambda _: None, ("17",)),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_dry_run_says_what_then_happens(name: str, machine: Machine) -> None:
    prepare, options = SITUATIONS[name]
    prepare(machine)
    before = machine.files()

    said = rollback(machine, "--dry-run", "--output", "json", *options)

    assert machine.files() == before
    text = rollback(machine, "--dry-run", *options)
    assert machine.files() == before
    real = rollback(machine, *options)
    assert said.code == text.code == real.code
    # Only a command that can write reports the state of the machine.
    state = "Nothing was changed.\n" if real.code else ""
    assert f"{said.err}{state}" == f"{text.err}{state}" == real.err
    plan = json.loads(said.out)
    if plan["schema"] == "secboot/rollback-plan/1":
        require_done(plan if real.code == 0 else None, machine, before)
        assert (plan["refusal"] is None) == (real.code == 0)
        # The plan that is shown before the rollback is the same, except for its outcome.
        assert real.code != 0 or not plan["changes"] or real.out.startswith(before_acting(text))
    else:
        assert real.code != 0


def rollback(machine: Machine, *words: str) -> Said:
    return secboot(machine.capsys, "rollback", *words, "--root", machine.root)


def require_done(plan: dict[str, Any] | None, machine: Machine, before: Mapping[str, Any]) -> None:
    """Check that the files are as planned, and all others as before."""
    expected = dict(before)
    for change in [] if plan is None else plan["files"] + plan["taken_along"]:
        path = change["real_path"].lstrip("/")
        if change["after"] is None:
            del expected[path]
        else:
            new = stat.S_IFREG | int((change["attributes"] or {"mode": "0"})["mode"], 8)
            mode = expected[path][0] if path in expected else new
            expected[path] = (mode, b64decode(change["after"]))
    assert machine.files() == expected


def before_acting(said: Said) -> str:
    """The output of a dry run up to its summary."""
    head, summary, rest = said.out.rpartition("\nRollback: ")
    if not summary:
        head, summary, rest = said.out.rpartition("\nNo files to restore.")
    return f"{head}{summary}{rest.partition(chr(10))[0]}\n"


def test_no_lock_is_taken_and_none_is_waited_for(machine: Machine) -> None:
    with Root(machine.root) as root, write_access(root, StateDirectory(root)):
        said = rollback(machine, "--dry-run")
        assert said.code == 0
        assert rollback(machine).code == 1

    assert rollback(machine).out.startswith(before_acting(said))


def test_where_nothing_was_applied_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample(tmp_path / "m")
    before = sorted(tmp_path.rglob("*"))

    said = secboot(capsys, "rollback", "--dry-run", "--root", tmp_path / "m")

    assert (said.code, said.out) == (1, "")
    assert "nothing to roll back" in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_in_the_way_is_shown_with_what_to_do(machine: Machine) -> None:
    edit(machine)

    said = rollback(machine, "--dry-run", "--no-diff")

    assert said.code == 1
    assert (
        f"Conflict: /{ENTRIES}/{machine.entry(CURRENT).name}\n  changed since: --keep" in said.out
    )
    assert "Rollback: 3 files to restore, 1 conflict.\n" in said.out
    assert "@@" not in said.out
    assert "overwrite it with the saved file: secboot rollback 1 --force" in said.err


def test_what_was_added_since_is_shown(machine: Machine) -> None:
    made = machine.install_kernel()

    said = rollback(machine, "--dry-run")

    name = f"/{ENTRIES}/{made.name}"
    assert f"Change {name}\n  added since; inherited the change\n" in said.out
    assert f"--- {name} (now)\n+++ {name} (restored)\n" in said.out
    assert "Rollback: 4 files to restore, 1 boot entry added since to change.\n" in said.out
    left = rollback(machine, "--dry-run", "--leave-new").out
    assert f"Skipped: {name}\n  added since; keeps the change that it inherited\n" in left
    assert "starts this entry by default, still with prot_virt=1:" in left


def test_an_unfinished_change_comes_first(machine: Machine) -> None:
    cut_a_later_one(machine)

    said = rollback(machine, "1", "--dry-run", "--no-diff")

    assert said.out.startswith(
        "Unfinished  checkpoint 2: apply guest; it is recovered first\n"
        "Rollback    checkpoint 1: apply host\n"
    )
    assert "Only then can secboot plan the rollback of checkpoint 1.\n" in said.out


def test_files_in_which_the_same_changes_are_one_group(machine: Machine) -> None:
    machine.run("apply", "guest")

    said = machine.run("rollback", "--dry-run", "--no-diff").out

    assert "\nRestore 3 files: - swiotlb=262144\n    /boot/loader/entries/" in said
    assert "\nRestore 1 file: swiotlb=262144 -> swiotlb=512M\n    /boot/loader/entries/" in said


def test_a_file_in_which_much_changes_is_named_alone(machine: Machine) -> None:
    entry = machine.entry(CURRENT)
    entry.write_text(entry.read_text() + "# " + " ".join(map(str, range(7))) + "\n")

    said = machine.run("rollback", "--dry-run", "--no-diff", "--force").out

    assert f"\nRestore /{entry.relative_to(machine.root)}\n" in said


def test_a_terminal_gets_no_diff_unless_it_is_asked_for(machine: Machine) -> None:
    def shown(*options: str) -> str:
        with terminal() as screen:
            words = ("rollback", "--dry-run", "--root", str(machine.root), *options)
            subprocess.run(
                [sys.executable, "-m", "secboot", *words],
                stdout=screen.file,
                stderr=screen.file,
                check=True,
            )
            return screen.read_all()

    assert "\n--- " not in shown()
    assert "\n--- " in shown("--diff").replace("\x1b[1m", "")


@pytest.mark.parametrize("verb", ["history", "rollback"])
def test_a_directory_on_which_nothing_is_mounted_is_not_a_machine_without_changes(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, verb, "--root", tmp_path)

    assert said.code == 1
    assert f"{tmp_path} is not the root directory of a Linux system" in said.err


def test_where_zipl_refuses_anyway_the_repair_is_named_and_the_command_to_repeat(
    machine: Machine,
) -> None:
    conf = machine.root / "etc/zipl.conf"
    conf.write_text(conf.read_text() + "; a remark\n")
    zipl = machine.root / "usr/sbin/zipl"
    zipl.parent.mkdir(parents=True)
    zipl.write_text("#!/bin/sh\n")

    said = machine.run("rollback", "--zipl", "--dry-run", code=1)
    fixed = machine.run("check", "--fix")
    again = machine.run("rollback", "1", "--zipl", "--dry-run")
    undone = machine.run("rollback", "--zipl", "--dry-run", code=1)

    root = machine.root
    assert (
        f"zipl refuses them now, too; see what can be repaired: secboot check --root {root}\n"
        in said.err
    )
    assert f"then repeat: secboot rollback 1 --zipl --root {root}\n" in said.err
    assert fixed.code == again.code == 0
    assert f"to undo an earlier change, give its ID: secboot history --root {root}\n" in undone.err
