"""Ten thousand boot entries, which no machine has: nothing is quadratic, and nothing breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.processes import Cost, clean_environment, run
from benchmarks.trees import write_bls, write_sections

FEW, MANY = 1_000, 10_000
LINEAR = 20
"""Times as much CPU time, at most, for ten times as many: it is 7, and a quadratic part makes it 50."""
MEMORY = 180 * 2**20


def cost(*words: str, status: int = 0) -> Cost:
    argv = (
        sys.executable,
        "-I",
        "-c",
        "import sys; from secboot.cli import main; sys.exit(main())",
    )
    return run((*argv, *words), clean_environment(), (status,))


@pytest.mark.parametrize("write", [write_bls, write_sections])
def test_ten_thousand_entries_take_ten_times_as_long_as_a_thousand(
    write: Callable[[Path, int], None], tmp_path: Path
) -> None:
    costs: dict[str, list[Cost]] = {"plan": [], "unmet": [], "apply": [], "status": []}
    for count in (FEW, MANY):
        tree = tmp_path / str(count)
        write(tree, count)
        here = ("guest", "--root", str(tree))
        costs["plan"].append(cost("plan", *here))
        costs["unmet"].append(cost("status", *here))
        costs["apply"].append(cost("apply", *here, "--no-zipl"))
        costs["status"].append(cost("status", *here))

    for few, many in costs.values():
        assert many.cpu < LINEAR * few.cpu
        assert many.memory < MEMORY
