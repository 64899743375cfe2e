"""Characters that no boot file has: a byte order mark, and the line ends of another system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.text import split_lines
from secboot.repair.edit import Damaged, Edit, Repair, replaced

if TYPE_CHECKING:
    from secboot.finding import Finding

_MARK = "\ufeff"
_RETURN = "\r"


def byte_order_mark(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Take the mark off a file: it is for programs that guess an encoding, and part of line 1."""
    place = finding.location
    path, number = ("", None) if place is None else place[:2]
    text = damaged.texts.get(path, "")
    if "\0" in text:
        return "the file has NUL bytes, as one in UTF-16 has: write it again as plain text"
    if not text.startswith(_MARK) or number not in {None, 1}:
        return None
    first = split_lines(text)[0]
    return Repair("the byte order mark is removed", (replaced(path, 1, first.lstrip(_MARK)),))


def carriage_returns(damaged: Damaged, finding: Finding) -> Repair | None:
    """Give a file Unix line ends, where a line that is complained about has others."""
    line = damaged.line(finding)
    if finding.location is None or line is None or not _ends_in_return(line):
        return None
    path = finding.location.path
    lines = split_lines(damaged.texts[path])
    return Repair(
        "carriage returns at the ends of lines are removed",
        (Edit(path, 0, len(lines), tuple(map(_unix, lines))),),
    )


def _ends_in_return(line: str) -> bool:
    return line.removesuffix("\n").endswith(_RETURN)


def _unix(line: str) -> str:
    end = "\n" if line.endswith("\n") else ""
    return line.removesuffix("\n").rstrip(_RETURN) + end
