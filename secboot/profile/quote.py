"""The line of a profile that an error is about, with a caret under the place, as compilers show it.

Only of what is a profile: a path can lead to any file, and an error repeats nothing of another one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.profile import fields
from secboot.profile.nodes import Mapping
from secboot.profile.spelling import likely_word
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping as TextMapping

    from secboot.errors import Location
    from secboot.profile.nodes import Node

WIDTH = 76
"""Columns of a quote; what shows it may indent it, and a terminal has 80."""
_LINE_BREAK = re.compile(r"\r\n|[\r\n]")
_NOT_TOP = re.compile(r"[ \t#}\]]|- |(?:---|\.\.\.)(?:\s|$)")
"""What begins a line in which no key of a profile begins."""
_TOP = re.compile(r"""["']?([A-Za-z_-]+)["']?[ \t]*:(?:\s|$)""")
_TELLING = {"version", "parameters", "extends"}
_CUT = "..."


class _Cell(NamedTuple):
    """A character as it is shown, and how many columns it takes."""

    text: str
    width: int


def is_profile(text: str, node: Node | None) -> bool:
    """Whether a text says nothing but what a profile says, in keys that may be misspelt.

    `node` is what it was read as; None where it can't be read, and its lines have to tell.
    """
    if node is None:
        lines = _LINE_BREAK.split(text.removeprefix("\ufeff"))
        found = [_TOP.match(line) for line in lines if line and not _NOT_TOP.match(line)]
        keys = [None if match is None else match[1] for match in found]
    else:
        keys = [key.text for key, _ in node.items] if isinstance(node, Mapping) else []
    known = [field.key for field in fields.PROFILE_FIELDS]
    return bool(_TELLING.intersection(filter(None, keys))) and all(
        key is not None and (key in known or likely_word(key, known) is not None) for key in keys
    )


class Quotes:
    """Quotes lines of the texts that a profile is made of, each text looked at once.

    `texts` are by path what was read, and what it was read as (`is_profile`).
    """

    def __init__(self, texts: TextMapping[str, tuple[str, Node | None]]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def at(self, location: Location) -> str:
        """Return the line at the location, and below it a caret; "" where there is no such line.

        Nothing is wider than `WIDTH`. What is not printable is shown as `visible` has it.
        """
        if location.line is None or location.column is None:
            return ""
        lines = self._lines_of(location.path)
        line = lines[location.line - 1] if location.line <= len(lines) else ""
        return _quote(line, location.line, location.column) if line else ""

    def _lines_of(self, path: str) -> list[str]:
        if path not in self._lines:
            text, node = self._texts.get(path, ("", None))
            lines = _LINE_BREAK.split(text.removeprefix("\ufeff")) if is_profile(text, node) else []
            self._lines[path] = lines
        return self._lines[path]


def _quote(line: str, number: int, column: int) -> str:
    margin = f"{number:>5} | "
    room = WIDTH - len(margin)
    at = min(column - 1, len(line))
    # Nothing that is further away is shown, so that it costs nothing in a line of any length.
    first = max(0, at - room)
    cells = [_cell(character) for character in line[first : at + room]]
    is_cut = len(cells) < len(line)
    begin, end = _window(cells, at - first, room, is_cut=is_cut)
    before, behind = first + begin > 0, first + end < len(line)
    shown = "".join(cell.text for cell in cells[begin:end])
    shown = f"{_CUT if before else ''}{shown}{_CUT if behind else ''}"
    indent = len(_CUT) * before + sum(cell.width for cell in cells[begin : at - first])
    return f"{margin}{shown}\n{'| '.rjust(len(margin))}{' ' * indent}^"


def _window(cells: list[_Cell], at: int, room: int, *, is_cut: bool) -> tuple[int, int]:
    """Which of the cells fit into the room, those around `at` among them, and the marks of a cut."""
    if not is_cut and sum(cell.width for cell in cells) <= room:
        return 0, len(cells)
    begin, used = at, 0
    while begin and used + cells[begin - 1].width <= room // 2:
        begin -= 1
        used += cells[begin].width
    end, used = begin, 0
    while end < len(cells) and used + cells[end].width <= room - 2 * len(_CUT):
        used += cells[end].width
        end += 1
    return begin, end


def _cell(character: str) -> _Cell:
    text = visible(character)
    if text != character:
        return _Cell(text, len(text))
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return _Cell(text, 0)
    return _Cell(text, 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1)
