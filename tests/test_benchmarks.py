"""What the benchmark reports about secboot and its own numbers; the numbers are not tested."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from operator import attrgetter

import pytest

from benchmarks import timed
from benchmarks.processes import Cost, Series
from benchmarks.table import budgets


@pytest.mark.parametrize("target", timed.FUNCTIONS)
def test_what_is_timed_is_there(target: str) -> None:
    """A renamed function would silently count as part of its caller."""
    module, _, path = target.partition(":")

    assert callable(attrgetter(path)(importlib.import_module(module)))


def series(name: str, *seconds: float) -> Series:
    return Series(name, tuple(Cost(each, each, 2**20) for each in seconds))


def lines(**groups: Sequence[Series]) -> list[str]:
    return budgets({name.replace("_", " "): group for name, group in groups.items()}).splitlines()


def test_a_budget_compares_runs_of_the_same_round() -> None:
    typer, plan = series("import typer", 0.1, 0.2, 0.4), series("plan guest", 0.13, 0.26, 0.6)

    found = lines(**{"3_BLS_entries": (typer, plan)})

    assert (
        "- met: wall time of `plan guest` over `import typer`'s, 3 BLS entries: 1.30, at most 1.4"
        in found
    )


def test_a_budget_that_is_missed_is_called_so() -> None:
    apply, grubby = series("apply guest", 0.09), series("grubby", 0.1)

    found = lines(**{"3_BLS_entries": (apply, grubby)}, fleet=(series("fleet", 2.5),))

    assert "- MISSED: wall time of `apply` over grubby's, 3 BLS entries: 0.90, at most 0.7" in found
    assert "- MISSED: CPU seconds of `fleet`: 2.50, at most 2" in found
