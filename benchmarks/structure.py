"""The structure of the sources, package by package: ``python -m benchmarks.structure [DIRECTORY]``.

DIRECTORY is the package to measure, of another checkout for a comparison; this one's by default.
Columns with several numbers: the median and the longest module, in lines; the median, the 90th
percentile and the longest function, in lines from its ``def`` on. An import line is a line of an
import statement, or the ``if TYPE_CHECKING:`` above some. Empty modules have no part in the median.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCES = Path(__file__).resolve().parent.parent / "secboot"
HEADS = ("room", "modules", "lines", "each module", "import lines", "of 100", "classes",
         "functions", "each function")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """What one module has; `functions` are the lines of each, methods included."""

    room: str
    lines: int
    import_lines: int
    classes: int
    functions: tuple[int, ...]


def modules(directory: Path) -> Iterator[Module]:
    """Yield all modules below a directory; those at the top level are in a package called ``-``."""
    for path in sorted(directory.rglob("*.py")):
        text = path.read_text()
        room, *inside = path.relative_to(directory).parts
        yield _module(room if inside else "-", text)


def table(found: Iterable[Module]) -> Iterator[str]:
    """Yield the table line by line, with the sums of all packages at its end."""
    rooms = defaultdict(list)
    for each in found:
        rooms[each.room].append(each)
    yield f"| {' | '.join(HEADS)} |"
    yield "|---" + "|---:" * (len(HEADS) - 1) + "|"
    for room, inside in sorted(rooms.items()):
        yield _line(room, inside)
    yield _line("all", [each for inside in rooms.values() for each in inside])


def _module(room: str, text: str) -> Module:
    nodes = list(ast.walk(ast.parse(text)))
    return Module(
        room,
        len(text.splitlines()),
        sum(map(_import_lines, nodes)),
        sum(isinstance(node, ast.ClassDef) for node in nodes),
        tuple(
            _lines(node)
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
    )


def _import_lines(node: ast.AST) -> int:
    match node:
        case ast.Import() | ast.ImportFrom():
            return _lines(node)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return 1
        case _:
            return 0


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _line(room: str, inside: Sequence[Module]) -> str:
    lines = sum(each.lines for each in inside)
    imports = sum(each.import_lines for each in inside)
    functions = sorted(each for module in inside for each in module.functions)
    sizes = sorted(each.lines for each in inside if each.lines) or [0]
    cells = (
        room,
        str(len(inside)),
        f"{lines:,}",
        f"{median(sizes):.0f} / {sizes[-1]}",
        f"{imports:,}",
        f"{100 * imports / max(lines, 1):.1f}",
        str(sum(each.classes for each in inside)),
        f"{len(functions):,}",
        _spread(functions or [0]),
    )
    return f"| {' | '.join(cells)} |"


def _spread(lengths: Sequence[int]) -> str:
    return f"{median(lengths):.0f} / {lengths[len(lengths) * 9 // 10]} / {lengths[-1]}"


if __name__ == "__main__":
    sources = Path(sys.argv[1]) if sys.argv[1:] else SOURCES
    sys.stdout.writelines(f"{line}\n" for line in table(modules(sources)))
