"""A Boot Loader Specification entry as a lossless document: its text, and two views of it.

`BlsEntry.lines` are the lines of the file, for editing; `BlsEntry.scan` is what zipl reads
(zipl/src/scan.c). zipl first moves the line that starts with ``title`` to the top
(sort_bls_fields), then reads field by field (scan_bls, scan_bls_field). This module does exactly
the same, including a bug in the first step: zipl uses the length of the file's last line as the
length of the title line. A title on the first line is not moved, so it is safe; so is one on the
last line. The two views agree unless the bug applies.

zipl works on bytes, and the bug can cut a character in two, so the scan works on bytes as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import StrEnum
from functools import cached_property

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.text import require_one_line, split_lines
from secboot.named_tuple import NamedTuple


class BlsKey(StrEnum):
    """The keys that zipl uses."""

    TITLE = "title"
    LINUX = "linux"
    OPTIONS = "options"
    INITRD = "initrd"


class BlsField(NamedTuple):
    """One field that zipl uses, as zipl reads it.

    `key` is written as in the file; `meaning` is the key that zipl interprets it as. `line` and
    `column` locate the key in the file; both count from 1.
    """

    key: str
    meaning: BlsKey
    value: str
    line: int
    column: int


class BlsScan(NamedTuple):
    """What zipl reads from an entry: the fields in zipl's order, and what it refuses."""

    fields: tuple[BlsField, ...]
    problems: tuple[Finding, ...]


_SCANNED_FIELD = re.compile(rb"([0-9A-Za-z_-]*)([ \t]*)([^\n]*)")
_SKIPPED = re.compile(rb"[ \t\n\0]*(?:#[^\n]*[ \t\n\0]*)*")


_MEANINGS = {known[:length]: known for known in BlsKey for length in range(1, len(known) + 1)}


def meaning_of(key: str) -> BlsKey | None:
    """Return the key that zipl interprets `key` as.

    zipl compares only as many characters as `key` has (strncmp in scan_bls_field), so any
    prefix of a key matches: ``opt`` and ``o`` mean ``options``.
    """
    return _MEANINGS.get(key)


_FIELD = re.compile(r"[ \t\0]*([0-9A-Za-z_-]+)([ \t]+)([^\n]*)")
_VERSION = re.compile(r"^version[ \t]+([^ \t\n][^\n]*)", re.MULTILINE)


class BlsLine(NamedTuple):
    """One line with all its characters, including the newline; `number` counts from 1.

    A field has a `key`, a `meaning` if zipl uses it, and a value from offset `start` to `end`
    of the text, without trailing blanks.
    """

    number: int
    text: str
    key: str | None = None
    meaning: BlsKey | None = None
    start: int = 0
    end: int = 0

    @property
    def value(self) -> str:
        """The value as written, including a carriage return at its end."""
        return self.text[self.start : self.end]


class _Text(NamedTuple):
    text: str
    path: str = "entry.conf"


class BlsEntry(_Text):
    """One entry file; `path` is only used in locations."""

    @classmethod
    def parse(cls, text: str, path: str = "entry.conf") -> BlsEntry:
        """Read any text. Never raises. ``BlsEntry.parse(text).render() == text``."""
        return cls(text, path)

    def render(self) -> str:
        """Return the text of the document."""
        return self.text

    @property
    def lines(self) -> tuple[BlsLine, ...]:
        """The lines of the file."""
        return tuple(_line(line, number) for number, line in enumerate(split_lines(self.text), 1))

    @cached_property
    def scan(self) -> BlsScan:
        """The entry as zipl reads it."""
        return scan_entry(self.text, self.path)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What zipl refuses. It stops at the first problem, and then refuses all entries."""
        return self.scan.problems

    @cached_property
    def misread(self) -> bool:
        """Whether the fields that zipl reads, or their places, differ from the lines of the file.

        This is the bug with a title below the first line; it can silently change file names and
        parameters.
        """
        written = sorted(
            (line.number, line.meaning, line.value.partition("\0")[0])
            for line in self.lines
            if line.meaning is not None
        )
        read = sorted((field.line, field.meaning, field.value) for field in self.scan.fields)
        return written != read

    def all(self, meaning: BlsKey) -> tuple[BlsField, ...]:
        """Return every field that zipl reads as `meaning`, in zipl's order."""
        return tuple(field for field in self.scan.fields if field.meaning is meaning)

    def value(self, meaning: BlsKey) -> str | None:
        """Return the first value that zipl reads as `meaning`, or None."""
        found = self.all(meaning)
        return found[0].value if found else None

    @property
    def title(self) -> str | None:
        """The title, which is zipl's name for the entry."""
        return self.value(BlsKey.TITLE)

    @property
    def options(self) -> str | None:
        """The parameter line as zipl reads it, or None if the entry has none."""
        return self.value(BlsKey.OPTIONS)

    @property
    def version(self) -> str | None:
        """The version by which zipl 2.22 and later sort entries, or None.

        The first unindented line with a version is used, including blanks at its end.
        """
        found = _VERSION.search(self.text)
        return None if found is None else found.group(1).partition("\0")[0]

    def set_options(self, value: str) -> BlsEntry:
        """Return the document with `value` as its parameter line.

        An existing value is replaced in place; otherwise a new line is added after the last
        `linux` or `initrd` line. A carriage return at the end of the existing line and a missing
        final newline are kept. Raises `RefusedError` if the entry has more than one such line, if
        the format can't hold the value, or if zipl would read back a different value.
        """
        _require_writable(value)
        found = [line for line in self.lines if line.meaning is BlsKey.OPTIONS]
        if len(found) > 1:
            location = Location(self.path, found[1].number, 1)
            raise RefusedError("more than one options line", location=location)
        new = self._replaced(found[0], value) if found else self._added(value)
        return self._checked(new, value)

    def _replaced(self, line: BlsLine, value: str) -> BlsEntry:
        if line.value.endswith("\r") and not value.endswith("\r"):
            value += "\r"
        text = f"{line.text[: line.start]}{value}{line.text[line.end :]}"
        return self._spliced(line.number - 1, line.number, [text])

    def _added(self, value: str) -> BlsEntry:
        after = self._last(BlsKey.LINUX, BlsKey.INITRD) or self._last(BlsKey.TITLE)
        if after is None:
            raise RefusedError("no title, linux or initrd line", location=Location(self.path))
        # No carriage return, even if the other lines end in one: zipl would pass it to the kernel.
        new = f"options {value}"
        index = after.number
        if after.text.endswith("\n"):
            return self._spliced(index, index, [f"{new}\n"])
        return self._spliced(index - 1, index, [f"{after.text}\n", new])

    def _last(self, *meanings: BlsKey) -> BlsLine | None:
        found = [line for line in self.lines if line.meaning in meanings]
        return found[-1] if found else None

    def _spliced(self, start: int, end: int, texts: list[str]) -> BlsEntry:
        new = split_lines(self.text)
        new[start:end] = texts
        return BlsEntry("".join(new), self.path)

    def _checked(self, new: BlsEntry, value: str) -> BlsEntry:
        """Return `new` if zipl reads it as intended; otherwise refuse.

        With a title below the first line, a change to the last line changes what zipl reads as
        the title.
        """
        if not new.misread and (new.options or "").removesuffix("\r") == value.removesuffix("\r"):
            return new
        raise RefusedError(
            "zipl would misread the entry: the title is not on the first line, and zipl uses the"
            " length of the last line as the length of the title line",
            location=Location(self.path),
            hint="move the title line to the top of the file",
        )


def _line(text: str, number: int) -> BlsLine:
    field = _FIELD.match(text)
    if field is None:
        return BlsLine(number, text)
    key = field.group(1)
    end = field.start(3) + len(field.group(3).rstrip(" \t"))
    return BlsLine(number, text, key, meaning_of(key), field.start(3), end)


def _require_writable(value: str) -> None:
    require_one_line(value, "an options line")
    if value != value.strip(" \t"):
        raise RefusedError("an options line cannot hold a value with leading or trailing blanks")


def scan_entry(text: str, path: str) -> BlsScan:
    """Read `text` as zipl does. Never raises. `path` is only used in messages.

    zipl stops at the first problem; this function continues after it.
    """
    data = text.encode(errors="surrogateescape")
    titles, last_length = _title_lines(data)
    problems: list[Finding] = []
    segments = [(0, len(data))]
    if len(titles) == 1:
        segments = _moved(len(data), titles[0], last_length)
    else:
        problems.append(_title_problem(data, titles, path))
    fields, field_problems = _scan_fields(data, segments, path)
    return BlsScan(tuple(fields), (*problems, *field_problems))


def _title_lines(data: bytes) -> tuple[list[int], int]:
    """Return the offsets of lines that start with ``title``, and the length of the last line read.

    As in zipl, the last four bytes of the file, or fewer, are not read as a line.
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
    """Return the file as ranges of offsets, in the order in which zipl then reads them."""
    if title == 0:
        return [(0, size)]
    return [(title, title + length), (title - 1, title), (0, title - 1), (title + length, size)]


def _refusal(code: str, message: str, place: Location) -> Finding:
    return Finding(code, Severity.ERROR, message, place)


def _title_problem(data: bytes, titles: list[int], path: str) -> Finding:
    if not titles:
        return _refusal("bls.no-title", f"no title in {path}", Location(path, 1))
    line = data.count(b"\n", 0, titles[1]) + 1
    return _refusal("bls.two-titles", f"more than one title in {path}", Location(path, line, 1))


def _scan_fields(
    data: bytes, segments: list[tuple[int, int]], path: str
) -> tuple[list[BlsField], list[Finding]]:
    buffer = b"".join(data[start:end] for start, end in segments)
    places = _Places(data, segments)
    fields: list[BlsField] = []
    problems: list[Finding] = []
    position = 0
    while position < len(buffer):
        position = _end(_SKIPPED, buffer, position)
        if position == len(buffer):
            break
        key, blanks, rest = _SCANNED_FIELD.match(buffer, position).groups()  # type: ignore[union-attr]  # matches anything
        name = key.decode("ascii")
        meaning = meaning_of(name)
        if not blanks:
            message = f"Incorrect BLS field in config file {path}"
            place = Location(path, *places.of(position))
            problems.append(_refusal("bls.field", message, place))
        elif meaning is not None:
            value = rest.rstrip(b" \t").partition(b"\0")[0].decode(errors="surrogateescape")
            fields.append(BlsField(name, meaning, value, *places.of(position)))
        position += len(key) + len(blanks) + len(rest)
    return fields, problems


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    found = pattern.match(data, position)
    return position if found is None else found.end()


class _Places:
    """Converts offsets in what zipl reads to lines and columns of the file."""

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
