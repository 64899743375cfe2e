"""Ten thousand boot entries, which no machine has: nothing is quadratic, and nothing breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.processes import Cost, clean_environment, run
from benchmarks.trees import write_bls, write_sections

FEW, MANY = 1_000, 10_000
LINEAR = 20
"""The most that CPU time may grow for ten times as many entries: it is 7, a quadratic part makes it 50."""
MEMORY = 180 * 2**20


_PROGRAM = """\
import sys
from pathlib import Path
from secboot.cli import main
peak = Path(sys.argv.pop(1)).open("w")
code = main()
peak.write(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")))
peak.close()
sys.exit(code)
"""
"""The memory that wait4 reports for a process is at least that of its parent (exec(2)). The file
is opened before: a command that only reads cannot open it afterwards."""


def cost(peak: Path, *words: str) -> Cost:
    argv = (sys.executable, "-I", "-c", _PROGRAM, str(peak), *words)
    found = run(argv, clean_environment(), (0,))
    return replace(found, memory=int(peak.read_text()) * 1024)


@pytest.mark.repeating
@pytest.mark.parametrize("write", [write_bls, write_sections])
def test_ten_thousand_entries_take_ten_times_as_long_as_a_thousand(
    write: Callable[[Path, int], None], tmp_path: Path
) -> None:
    costs: dict[str, list[Cost]] = {"plan": [], "unmet": [], "apply": [], "status": []}
    for count in (FEW, MANY):
        tree = tmp_path / str(count)
        write(tree, count)
        here, peak = ("guest", "--root", str(tree)), tmp_path / "peak"
        costs["plan"].append(cost(peak, "plan", *here))
        costs["unmet"].append(cost(peak, "status", *here))
        costs["apply"].append(cost(peak, "apply", *here, "--no-zipl"))
        costs["status"].append(cost(peak, "status", *here))

    for few, many in costs.values():
        assert many.cpu < LINEAR * few.cpu
        assert many.memory < MEMORY
