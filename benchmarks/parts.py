"""Where the time of a command goes: a table of its parts."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import trees
from benchmarks.cases import BOOTMAP, ROUNDS, START_UP, apply, floor
from benchmarks.processes import Command
from benchmarks.timed import REST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.cases import Programs

TIMED = Path(__file__).parent / "timed.py"
ROWS = ("all", "Python", "Typer", "imports", REST, "profile", "reading", "zipl's reading", "planning",
        "stages", "text", "files", "syncs")  # fmt: skip
"""The rows; Python is its start and end, and what no other one has."""


def parts_table(
    programs: Programs, directory: Path, counts: Sequence[int], factor: float
) -> Iterator[str]:
    """Yield the table line by line, in milliseconds of wall time: medians over the rounds."""
    file = directory / "parts"
    columns = {}
    for name, command, rounds in _commands(programs, directory, counts):
        found = [_parts(programs, command, file) for _ in range(max(1, round(rounds * factor)))]
        columns[name] = {part: median(each.get(part, 0.0) for each in found) for part in ROWS}
    yield "| " + " | ".join(["milliseconds", *columns]) + " |"
    yield "|---" + "|---:" * len(columns) + "|"
    for part in ROWS:
        cells = [column[part] * 1000 for column in columns.values()]
        numbers = [f"{cell:.0f}" if cell >= 0.5 else "" for cell in cells]
        yield "| " + " | ".join([part, *numbers]) + " |"


def _commands(
    programs: Programs, directory: Path, counts: Sequence[int]
) -> Iterator[tuple[str, Command, int]]:
    sample = directory / "sample"
    trees.write_with_bootmap(sample, BOOTMAP)
    yield "python -I -c pass", floor(programs), START_UP
    for words in (("--version",), ("--help",), ("status", "guest", "--root", str(sample))):
        name = " ".join(words[:2]) if words[0] == "status" else words[0]
        yield name, Command(name, (programs.wheel, *words)), START_UP
    for count in counts:
        template = directory / f"template-{count}"
        trees.write_bls(template, count)
        words = ("plan", "guest", "--root", str(template))
        yield f"plan guest, {count:,}", Command("plan", (programs.wheel, *words)), ROUNDS
        change = apply(programs.wheel, directory / f"tree-{count}", template)
        yield f"apply guest, {count:,}", change, ROUNDS


def _parts(programs: Programs, command: Command, file: Path) -> dict[str, float]:
    """Run the command once and return what its parts took, and all of it, in seconds."""
    if command.argv[0] != programs.wheel:
        wall = command.cost().wall
        return {"all": wall, "Python": wall}
    argv = (programs.python, "-I", str(TIMED), str(file), *command.argv[1:])
    timed = Command(command.name, argv, tree=command.tree, template=command.template)
    wall = timed.cost().wall
    found: dict[str, float] = json.loads(file.read_text())
    return {"all": wall, "Python": wall - sum(found.values()), **found}
