"""Repair characters that do not belong in a boot file: a byte order mark, and foreign line ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.text import split_lines
from secboot.repair.edit import Damaged, Edit, Repair, replaced

if TYPE_CHECKING:
    from secboot.finding import Finding

_MARK = "\ufeff"
_RETURN = "\r"


def byte_order_mark(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove a byte order mark: it is meant for programs that guess encodings, but belongs to line 1."""
    place = finding.location
    path, number = ("", None) if place is None else place[:2]
    text = damaged.texts.get(path, "")
    if "\0" in text:
        return "the file has NUL bytes, like a UTF-16 file: save it as plain text"
    if not text.startswith(_MARK) or number not in {None, 1}:
        return None
    first = split_lines(text)[0]
    return Repair("remove the byte order mark", (replaced(path, 1, first.lstrip(_MARK)),))


def carriage_returns(damaged: Damaged, finding: Finding) -> Repair | None:
    """Give a file Unix line ends, if the line of the finding has others."""
    line = damaged.line(finding)
    if finding.location is None or line is None or not _ends_in_return(line):
        return None
    path = finding.location.path
    lines = split_lines(damaged.texts[path])
    return Repair(
        "remove the carriage returns at the ends of lines",
        (Edit(path, 0, len(lines), tuple(map(_unix, lines))),),
    )


def _ends_in_return(line: str) -> bool:
    return line.removesuffix("\n").endswith(_RETURN)


def _unix(line: str) -> str:
    end = "\n" if line.endswith("\n") else ""
    return line.removesuffix("\n").rstrip(_RETURN) + end
