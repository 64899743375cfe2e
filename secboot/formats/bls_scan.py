"""How zipl scans a Boot Loader Specification entry (zipl/src/scan.c).

zipl first moves the line that starts with ``title`` to the top (sort_bls_fields), then
reads field by field (scan_bls, scan_bls_field). Both are followed to the letter here, the
first one's defect included: it takes the length of the file's last line for that of the
title's line. A title on the first line is not moved, and so is safe; so is one on the last.

zipl works on bytes, and the defect can cut a character in two, so this module does too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import StrEnum
from functools import lru_cache
from sys import intern

from secboot.formats.problem import SyntaxProblem
from secboot.named_tuple import NamedTuple


class BlsKey(StrEnum):
    """The keys that zipl takes something from."""

    TITLE = "title"
    LINUX = "linux"
    OPTIONS = "options"
    INITRD = "initrd"


class BlsField(NamedTuple):
    """One field that zipl takes something from, as it reads it.

    `key` is written as in the file; `meaning` is the key that zipl takes it for. `line` and
    `column` are those of the key in the file, from 1.
    """

    key: str
    meaning: BlsKey
    value: str
    line: int
    column: int


class BlsScan(NamedTuple):
    """What zipl takes from an entry: fields in its order, and what it refuses."""

    fields: tuple[BlsField, ...]
    problems: tuple[SyntaxProblem, ...]


_FIELD = re.compile(rb"([0-9A-Za-z_-]*)([ \t]*)([^\n]*)")
_SKIPPED = re.compile(rb"[ \t\n\0]*(?:#[^\n]*[ \t\n\0]*)*")


@lru_cache(maxsize=256)
def meaning_of(key: str) -> BlsKey | None:
    """Return what zipl takes `key` for.

    It compares only as many characters as `key` has (strncmp in scan_bls_field), so any
    beginning of a key will do: ``opt`` and ``o`` are ``options``.
    """
    return next((known for known in BlsKey if key and known.startswith(key)), None)


def scan_entry(text: str, path: str) -> BlsScan:
    """Read `text` as zipl does; never raises. `path` is only named in messages.

    zipl stops at the first problem; this goes on behind it.
    """
    data = text.encode(errors="surrogateescape")
    titles, last_length = _title_lines(data)
    problems: list[SyntaxProblem] = []
    segments = [(0, len(data))]
    if len(titles) == 1:
        segments = _moved(len(data), titles[0], last_length)
    else:
        problems.append(_title_problem(data, titles, path))
    fields, field_problems = _scan_fields(data, segments, path)
    return BlsScan(tuple(fields), (*problems, *field_problems))


def _title_lines(data: bytes) -> tuple[list[int], int]:
    """Return where lines start with ``title``, and the length of the last line looked at.

    Four bytes or fewer at the end of the file are not looked at.
    """
    titles = []
    start, length = 0, 0
    while len(data) - start > 4:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if data.startswith(b"title", start):
            titles.append(start)
        length = end - start
        start = end + 1
    return titles, length


def _moved(size: int, title: int, length: int) -> list[tuple[int, int]]:
    """Return the file as ranges of offsets, in the order in which zipl then reads it."""
    if title == 0:
        return [(0, size)]
    return [(title, title + length), (title - 1, title), (0, title - 1), (title + length, size)]


def _title_problem(data: bytes, titles: list[int], path: str) -> SyntaxProblem:
    if not titles:
        return SyntaxProblem("bls.no-title", f"no title in {path}", 1)
    line = data.count(b"\n", 0, titles[1]) + 1
    return SyntaxProblem("bls.two-titles", f"more than one title in {path}", line, 1)


def _scan_fields(
    data: bytes, segments: list[tuple[int, int]], path: str
) -> tuple[list[BlsField], list[SyntaxProblem]]:
    buffer = b"".join(data[start:end] for start, end in segments)
    places = _Places(data, segments)
    fields: list[BlsField] = []
    problems: list[SyntaxProblem] = []
    position = 0
    while position < len(buffer):
        position = _end(_SKIPPED, buffer, position)
        if position == len(buffer):
            break
        key, blanks, rest = _FIELD.match(buffer, position).groups()  # type: ignore[union-attr]  # matches anything
        name = intern(key.decode("ascii"))
        meaning = meaning_of(name)
        if not blanks:
            message = f"Incorrect BLS field in config file {path}"
            problems.append(SyntaxProblem("bls.field", message, *places.of(position)))
        elif meaning is not None:
            value = rest.rstrip(b" \t").partition(b"\0")[0].decode(errors="surrogateescape")
            fields.append(BlsField(name, meaning, value, *places.of(position)))
        position += len(key) + len(blanks) + len(rest)
    return fields, problems


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    found = pattern.match(data, position)
    return position if found is None else found.end()


class _Places:
    """Lines and columns in the file of offsets in what zipl reads."""

    def __init__(self, data: bytes, segments: list[tuple[int, int]]) -> None:
        self._data = data
        self._lines = [0, *(found.end() for found in re.finditer(b"\n", data))]
        self._segments = segments

    def of(self, position: int) -> tuple[int, int]:
        offset = position
        for start, end in self._segments:
            if offset < end - start:
                offset += start
                break
            offset -= end - start
        line = bisect_right(self._lines, offset)
        before = self._data[self._lines[line - 1] : offset]
        return line, len(before.decode(errors="surrogateescape")) + 1
