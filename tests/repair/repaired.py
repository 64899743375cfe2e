"""Repair a tree, and check what must be true of every repair."""

from __future__ import annotations

from pathlib import Path

from secboot.formats.kernel_cmdline import CommandLine
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.repair.repair_plan import RepairPlan, plan_repairs
from secboot.system.root import Root
from tests.repair.damage import ADDED


def lines_of(machine: Machine) -> dict[str, str | None]:
    """The parameter line of each boot entry, by name."""
    return {entry.name: entry.parmline for entry in machine.configuration.entries}


def repair(tree: Path) -> RepairPlan:
    """Plan the repair of a tree in which zipl does not run, and write the changes if allowed."""
    with Root(tree) as root:
        layout = detect_layout(root, "zipl.conf")
        plan = plan_repairs(
            discover(root, layout.sources),
            layout,
            lambda contents: discover(root, layout.sources, changed=contents),
            with_zipl=False,
        )
    if plan.refusal is None:
        for change in plan.files:
            (tree / change.real_path.lstrip("/")).write_bytes(change.after or b"")
    return plan


def read(tree: Path) -> Machine:
    """Read a tree."""
    with Root(tree) as root:
        return discover(root)


def check_repaired(plan: RepairPlan, before: Machine, after: Machine, *, added: bool) -> None:
    """Fail unless zipl reads the same as before the damage, or the plan says why not.

    `added` allows for one entry that has the added parameter, as its last.
    """
    if plan.refusal is not None:
        assert plan.left
        assert all(each.reason for each in plan.left)
        return
    assert after.configuration.accepted, after.configuration.problems
    assert {each.name: each.after for each in plan.entries} == lines_of(after)
    old, new = lines_of(before), lines_of(after)
    if added and old != new:
        changed = [name for name in old if old[name] != new.get(name)]
        assert len(changed) == 1
        # The end of a parmfile separates its words from those of parameters=.
        expected = CommandLine.parse(old[changed[0]] or "").append(ADDED).parameters
        found = CommandLine.parse(new[changed[0]] or "").parameters
        assert [word.text for word in found] == [word.text for word in expected]
        new = {**new, changed[0]: old[changed[0]]}
    assert new == old
    default = before.configuration.default
    assert default is None or after.configuration.default is not None
    assert default is None or after.configuration.default.name == default.name  # type: ignore[union-attr]  # just said
