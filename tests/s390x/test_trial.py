"""The boot entry of a trial: the real zipl puts it last, and everything else is unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, seed

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import SecbootError
from secboot.layout.detect import detect_layout
from secboot.layout.layout import Layout
from secboot.machine.discovery import Machine
from secboot.machine.profile_files import read_profile
from secboot.plan.confirmation import plan_confirmation
from secboot.plan.plan import Confirmation, EntryStatus, Plan
from secboot.plan.planner import make_plan
from secboot.plan.trial_entry import plan_trial, require_possible
from secboot.system.root import Root
from secboot.zipl.version import BlsOrder
from tests.s390x import tally
from tests.s390x.applied import verdict_on
from tests.s390x.generated import APPLY_EXAMPLES, APPLY_ROUNDS, SEED, limited_to, machine_of
from tests.s390x.real_zipl import Cell
from tests.s390x.zipl_output import InstalledEntry, Verdict
from tests.strategies import Setup, careful_setups
from tests.trees import SAMPLE_TREES, make_sample_tree

pytestmark = pytest.mark.oracle

Planner = Callable[[Machine, Layout], Plan]
WHY_NOT = ("needs a boot menu", "not meant to be edited", "nothing to try", "menu is full")


def follow(cell: Cell, planner: Planner) -> Plan:
    """Apply the result of a planner to the tree in the cell."""
    with Root(cell.directory) as root:
        layout = detect_layout(root)
        # No zipl that is available here has Red Hat's order.
        layout.sources = layout.sources._replace(order=BlsOrder.UPSTREAM)
        state, nobody = StateDirectory(root), lambda _: None
        managed = ManagedRoot(root, state, None, layout, None, ("secboot",), nobody)

        return apply_plan(managed, lambda machine: planner(machine, layout)).plan


def begin(cell: Cell) -> Plan:
    def planner(machine: Machine, layout: Layout) -> Plan:
        with Root(cell.directory) as root:
            profile = read_profile("host", root)
        require_possible(machine, layout, profile)
        base = make_plan(profile, machine, layout, with_zipl=False)
        return plan_trial(base, profile, machine, layout, None, with_zipl=False)

    return follow(cell, planner)


def end(cell: Cell) -> Plan:
    def planner(machine: Machine, layout: Layout) -> Plan:
        with Root(cell.directory) as root:
            profile = read_profile("host", root)
        base = make_plan(profile, machine, layout, with_zipl=False)
        entry = next(each for each in machine.configuration.entries if each.is_trial)
        return plan_confirmation(base, machine, layout, entry, Confirmation("1", entry.name))

    return follow(cell, planner)


def without(verdict: Verdict, name: str) -> list[InstalledEntry]:
    return [each for each in verdict.entries if each.name != name]


def check_trial(cell: Cell, before: Verdict) -> bool:
    """Try, then confirm; fail if zipl reads anything but what was planned."""
    try:
        plan = begin(cell)
    except SecbootError:
        return False
    trial = plan.trial
    assert trial is not None
    tried = verdict_on(cell)
    assert tried.accepted, tried.output
    if tried.entries:  # otherwise it is a configuration for another disk
        new = next(each for each in tried.entries if each.name == trial.entry)
        assert (new.number, new.parmline, new.default) == (trial.number, trial.line, False), tried
        assert without(tried, trial.entry) == list(before.entries)
    done = end(cell)
    after = verdict_on(cell)
    assert after.accepted, after.output
    planned = {each.name: each.line_after for each in done.entries}
    for one, other in zip(before.entries, after.entries, strict=True):
        assert (one.number, one.name, one.default) == (other.number, other.name, other.default)
        assert other.parmline == planned[other.name]
    assert [each.name for each in done.with_status(EntryStatus.REMOVE)] == [trial.entry]
    tally.applied(cell.version, len(tried.entries) + len(after.entries))
    return True


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_on_a_machine(cell: Cell, name: str, tmp_path: Path) -> None:
    cell.fill(make_sample_tree(name, tmp_path / "root"))
    before = verdict_on(cell)

    if not check_trial(cell, before):
        with pytest.raises(SecbootError) as caught:
            begin(cell)
        assert any(why in str(caught.value) for why in WHY_NOT), caught.value


@pytest.mark.parametrize("number", range(APPLY_ROUNDS))
def test_on_a_generated_machine(cell: Cell, number: int) -> None:
    done = accepted = 0

    @seed(SEED * APPLY_ROUNDS + number)
    @limited_to(APPLY_EXAMPLES)
    @given(careful_setups())
    def check(setup: Setup) -> None:
        nonlocal done, accepted
        cell.fill_with(machine_of(setup))
        before = verdict_on(cell)
        if before.accepted:
            accepted += 1
            done += check_trial(cell, before)

    check()

    assert done > accepted // 10, "some of what is generated should have a menu"
