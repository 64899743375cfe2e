"""What secboot writes is what zipl reads: after an apply, zipl shows each entry as planned."""

from pathlib import Path

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from tests.s390x.applied import PROFILES, apply_in, check_applied, verdict_on
from tests.s390x.generated import APPLY_EXAMPLES, APPLY_ROUNDS, SEED, limited_to, machine_of
from tests.s390x.real_zipl import Cell
from tests.s390x.sample_machines import sample_machines
from tests.strategies import Setup, careful_setups
from tests.trees import SAMPLE_TREES, make_sample_tree

pytestmark = pytest.mark.oracle

SAMPLES = dict(sample_machines())


def apply_all(cell: Cell) -> int:
    """Apply each profile to the case in the cell; return how many could be applied."""
    done = 0
    for profile in PROFILES:
        if (applied := apply_in(cell, profile)) is not None:
            check_applied(cell, applied)
            done += 1
    return done


@pytest.mark.parametrize("name", SAMPLES)
def test_a_changed_sample_is_read_as_planned(cell: Cell, name: str) -> None:
    cell.fill_with(SAMPLES[name])
    before = verdict_on(cell)
    if before.accepted:
        apply_all(cell)
    elif (applied := apply_in(cell, "host")) is not None:
        # For example a missing kernel, which the change does not affect.
        assert applied.after.error == before.error


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_a_changed_machine_is_read_as_planned(cell: Cell, name: str, tmp_path: Path) -> None:
    cell.fill(make_sample_tree(name, tmp_path / "root"))

    accepted = verdict_on(cell).accepted

    assert accepted
    assert apply_all(cell) == len(PROFILES)


@pytest.mark.parametrize("number", range(APPLY_ROUNDS))
def test_a_changed_generated_configuration_is_read_as_planned(cell: Cell, number: int) -> None:
    done = 0

    @seed(SEED * APPLY_ROUNDS + number)
    @limited_to(APPLY_EXAMPLES)
    @given(careful_setups(), st.sampled_from(PROFILES))
    def check(setup: Setup, profile: str) -> None:
        nonlocal done
        cell.fill_with(machine_of(setup))
        if verdict_on(cell).accepted and (applied := apply_in(cell, profile)) is not None:
            check_applied(cell, applied)
            done += 1

    check()

    assert done > APPLY_EXAMPLES // 3, "most of what is generated should be applicable"
