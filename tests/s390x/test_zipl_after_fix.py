"""zipl accepts what `check --fix` leaves, and shows each entry's line as planned."""

from random import Random

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from tests.repair.damage import CONF, ENTRY
from tests.repair.repaired import check_repaired, read, repair
from tests.s390x import tally
from tests.s390x.applied import verdict_on
from tests.s390x.generated import FIX_EXAMPLES, FIX_ROUNDS, SEED, limited_to, machine_of
from tests.s390x.oracle import compare_cell
from tests.s390x.real_zipl import Cell
from tests.s390x.sample_machines import ENTRIES, Machine, sample_machines
from tests.strategies import Setup, careful_setups, setups

pytestmark = pytest.mark.oracle

SAMPLES = dict(sample_machines())
WITH_ADDED = {"appended_parameter", "inserted_parameter", "parameter_in_entry"}


def fix(cell: Cell) -> bool:
    """Repair the case in the cell and let zipl check the result; return whether it was repaired."""
    plan = repair(cell.directory)
    if plan.refusal is not None or not plan.files:
        return False
    if not read(cell.directory).configuration.accepted:
        # For example a missing kernel, which no edit can repair.
        return False
    compare_cell(cell)
    verdict = verdict_on(cell)
    assert verdict.accepted, verdict.output
    shown, planned = verdict.parmlines(), {each.name: each.after for each in plan.entries}
    expected = {name: planned[name] for name in shown}
    if shown != expected:
        tally.disagreed()
    assert shown == expected
    tally.fixed(cell.version, len(shown))
    return True


def damaged(machine: Machine, name: str, number: int) -> Machine | None:
    """The machine with one damage to zipl.conf, or to its first entry."""
    entries = sorted(path for path in machine if path.startswith(ENTRIES) and path[-5:] == ".conf")
    is_conf, kind = name.startswith("conf-"), name.partition("-")[2]
    path = "etc/zipl.conf" if is_conf else next(iter(entries), None)
    if path is None:
        return None
    text = machine[path].decode(errors="surrogateescape")
    after = (CONF if is_conf else ENTRY)[kind](text, Random(number))  # noqa: S311 - the same each time
    return None if after is None else machine | {path: after.encode(errors="surrogateescape")}


KINDS = (*(f"conf-{name}" for name in CONF), *(f"entry-{name}" for name in ENTRY))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_repaired_sample_is_accepted(cell: Cell, name: str) -> None:
    cell.fill_with(SAMPLES[name])

    fix(cell)


@pytest.mark.parametrize("number", range(FIX_ROUNDS))
def test_what_was_damaged_is_as_before(cell: Cell, number: int) -> None:
    done = 0

    @seed(SEED * FIX_ROUNDS + number)
    @limited_to(FIX_EXAMPLES)
    @given(
        careful_setups(), st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), st.integers()
    )
    def check(setup: Setup, kinds: list[str], choice: int) -> None:
        nonlocal done
        machine = machine_of(setup)
        cell.fill_with(machine)
        before = read(cell.directory)
        if not before.configuration.accepted:
            return
        for kind in kinds:
            machine = damaged(machine, kind, choice) or machine
        cell.fill_with(machine)
        added = any(kind.partition("-")[2] in WITH_ADDED for kind in kinds)
        if fix(cell) and not added:
            check_repaired(repair(cell.directory), before, read(cell.directory), added=False)
        done += 1

    check()

    assert done > FIX_EXAMPLES // 2, "most of what is generated should be accepted at first"


@pytest.mark.parametrize("number", range(FIX_ROUNDS))
def test_whatever_is_repaired_is_accepted(cell: Cell, number: int) -> None:
    @seed(SEED * FIX_ROUNDS + number)
    @limited_to(FIX_EXAMPLES)
    @given(setups())
    def check(setup: Setup) -> None:
        cell.fill_with(machine_of(setup))
        fix(cell)

    check()
