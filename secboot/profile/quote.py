"""Quote the line of a profile that an error is about, with a caret below the place, as compilers do.

Only profiles are quoted: a path can lead to any file, and an error must not show its content.
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
"""Columns of a quote; it may be shown indented, and a terminal has 80."""
_LINE_BREAK = re.compile(r"\r\n|[\r\n]")
_NOT_TOP = re.compile(r"[ \t#}\]]|- |(?:---|\.\.\.)(?:\s|$)")
"""How a line starts that does not start with a profile's key."""
_TOP = re.compile(r"""["']?([A-Za-z_-]+)["']?[ \t]*:(?:\s|$)""")
_TELLING = {"version", "parameters", "extends"}
_CUT = "..."


class _Cell(NamedTuple):
    """A character as it is shown, and its width in columns."""

    text: str
    width: int


def is_profile(text: str, node: Node | None) -> bool:
    """Tell whether a text has only the keys of a profile, which may be misspelled.

    `node` is the parsed text; None if it cannot be parsed, and then its lines are examined.
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
    """Quotes lines of the texts of a profile; each text is examined once.

    `texts` has for each path the text and the parsed node (`is_profile`).
    """

    def __init__(self, texts: TextMapping[str, tuple[str, Node | None]]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def at(self, location: Location) -> str:
        """Return the line at the location with a caret below it; "" if the line does not exist.

        No line is wider than `WIDTH`. Characters that are not printable are shown as in `visible`.
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
    # Text further away is not shown, so a line of any length costs the same.
    first = max(0, at - room)
    cells = [_cell(character) for character in line[first : at + room]]
    is_cut = len(cells) < len(line)
    begin, end = _window(cells, at - first, room, is_cut=is_cut)
    before, after = first + begin > 0, first + end < len(line)
    shown = "".join(cell.text for cell in cells[begin:end])
    shown = f"{_CUT if before else ''}{shown}{_CUT if after else ''}"
    indent = len(_CUT) * before + sum(cell.width for cell in cells[begin : at - first])
    return f"{margin}{shown}\n{'| '.rjust(len(margin))}{' ' * indent}^"


def _window(cells: list[_Cell], at: int, room: int, *, is_cut: bool) -> tuple[int, int]:
    """Return the range of cells around `at` that fit into `room`, with room for the marks of a cut."""
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
