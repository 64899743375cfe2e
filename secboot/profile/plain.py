"""The plain part of YAML, which nearly all profiles keep to, read without a YAML library.

That is: mappings in block form, nested by indentation; plain scalars on one line, of characters
that mean nothing in YAML; comments. Importing a whole YAML library takes longer than all the rest
of a plan for a few boot entries, and says nothing more of such a text. Whatever goes beyond this
part, or is wrong, is left to the library, which then also words the errors.

The tests compare the two: what is read here is what `secboot.profile.composer` makes of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from secboot.errors import Location
from secboot.profile.nodes import Mapping, Node, Scalar

_STATEMENT = re.compile(
    r"( *)([A-Za-z_][A-Za-z0-9_.]*):(?:( +)([A-Za-z0-9_/][A-Za-z0-9_/.,()=+~ -]*?))?(?: +#.*)? *"
)
_LONGEST_LINE = 500
"""Characters; YAML lets no key of a mapping be longer than 1024."""
_DEEPEST = 4
"""Levels of mappings; what is nested deeper is refused as too deep, or has no meaning."""


class _Statement(NamedTuple):
    """One line ``key: value``, or ``key:`` where `value` is None; columns count from 0."""

    line: int
    column: int
    key: str
    value_column: int
    value: str | None


class _BeyondPlainError(Exception):
    """It takes a YAML library to read the text."""


def read_plain(text: str, path: str) -> Node | None:
    """Return the mapping that a text is, or None if it takes a YAML library to tell.

    `text` has no control characters but tabs, carriage returns and newlines (`read_document`).
    """
    try:
        statements = _statements(text)
        if not statements or statements[0].column:
            return None
        mapping, end = _mapping(statements, 0, path, 1)
    except _BeyondPlainError:
        return None
    return mapping if end == len(statements) else None


def _statements(text: str) -> list[_Statement]:
    if not text.isascii() or "\t" in text or "\r" in text:
        raise _BeyondPlainError
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        content = line.lstrip(" ")
        if not content or content[0] == "#":
            continue
        match = _STATEMENT.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        if match is None:
            raise _BeyondPlainError
        indentation, key, _, value = match.groups()
        found.append(_Statement(number, len(indentation), key, match.start(4), value))
    return found


def _mapping(
    statements: list[_Statement], start: int, path: str, depth: int
) -> tuple[Mapping, int]:
    """Read the statements from `start` on that are indented alike; return where others follow."""
    if depth > _DEEPEST:
        raise _BeyondPlainError
    first = statements[start]
    items: dict[str, tuple[Scalar, Node]] = {}
    index = start
    while index < len(statements) and statements[index].column == first.column:
        statement = statements[index]
        index += 1
        if statement.key in items:
            raise _BeyondPlainError
        key = Scalar(statement.key, plain=True, location=_location(path, statement, first.column))
        value: Node
        if statement.value is not None:
            location = _location(path, statement, statement.value_column)
            value = Scalar(statement.value, plain=True, location=location)
        elif index < len(statements) and statements[index].column > first.column:
            value, index = _mapping(statements, index, path, depth + 1)
        else:
            raise _BeyondPlainError
        items[statement.key] = (key, value)
    return Mapping(tuple(items.values()), _location(path, first, first.column)), index


def _location(path: str, statement: _Statement, column: int) -> Location:
    return Location(path, statement.line, column + 1)
