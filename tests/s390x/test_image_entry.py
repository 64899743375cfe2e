"""The boot entry of a Secure Execution image that secboot adds: zipl accepts it as the default."""

import os
from pathlib import Path

import pytest
from hypothesis import given, seed

from secboot.errors import SecbootError
from secboot.plan.plan import EntryStatus
from secboot.system.root import Root
from tests.apply.test_image import PARMFILE, Guest, profile_of
from tests.s390x.applied import verdict_on
from tests.s390x.generated import APPLY_EXAMPLES, APPLY_ROUNDS, SEED, limited_to, machine_of
from tests.s390x.real_zipl import Cell
from tests.strategies import Setup, careful_setups
from tests.trees import SAMPLE_TREES, make_sample_tree

pytestmark = pytest.mark.oracle

LINE = "root=/dev/mapper/root swiotlb=262144\n"


def add_entry(cell: Cell) -> str | None:
    """Apply a profile with an image that is built; return the name of the entry, or None."""
    parmfile = cell.directory / PARMFILE
    parmfile.parent.mkdir(parents=True, exist_ok=True)
    parmfile.write_text(LINE)
    os.utime(parmfile, (1, 1))
    with Root(cell.directory) as root:
        guest = Guest(root, profile_of())
        guest.build()
        try:
            plan = guest.apply()
        except SecbootError:
            return None
    return next((entry.name for entry in plan.with_status(EntryStatus.ADD)), None)


def require_default(cell: Cell, name: str) -> None:
    """Fail unless zipl accepts the files and makes this entry the default."""
    verdict = verdict_on(cell)
    assert verdict.accepted, verdict.output
    if verdict.entries:  # otherwise it is a configuration for another disk
        default = verdict.default
        assert default is not None, verdict.output
        assert (default.name, default.image) == (name, "/boot/secure-linux"), verdict.output


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_on_a_machine(cell: Cell, name: str, tmp_path: Path) -> None:
    cell.fill(make_sample_tree(name, tmp_path / "root"))

    added = add_entry(cell)

    assert (added is None) == (name == "library-zipl-conf")
    if added is not None:
        require_default(cell, added)


@pytest.mark.parametrize("number", range(APPLY_ROUNDS))
def test_on_a_generated_machine(cell: Cell, number: int) -> None:
    done = 0

    @seed(SEED * APPLY_ROUNDS + number)
    @limited_to(APPLY_EXAMPLES)
    @given(careful_setups())
    def check(setup: Setup) -> None:
        nonlocal done
        cell.fill_with(machine_of(setup))
        if verdict_on(cell).accepted and (added := add_entry(cell)) is not None:
            require_default(cell, added)
            done += 1

    check()

    assert done > APPLY_EXAMPLES // 4, "most of what is generated should get an entry"
