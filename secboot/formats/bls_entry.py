"""A Boot Loader Specification entry as a lossless document: a text, and two views of it.

`BlsEntry.lines` are those of the file, for editing; `BlsEntry.scan` is what zipl reads. Machines
have many entries, so the lines are made when they are asked for. The views agree unless zipl's
defect with titles below the first line strikes (see `secboot.formats.bls_scan`).

Texts are UTF-8 decoded with ``surrogateescape`` and without newline translation.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.bls_scan import BlsField, BlsKey, BlsScan, meaning_of, scan_entry
from secboot.formats.text import require_one_line, split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.formats.problem import SyntaxProblem

_FIELD = re.compile(r"[ \t\0]*([0-9A-Za-z_-]+)([ \t]+)([^\n]*)")
_VERSION = re.compile(r"^version[ \t]+([^ \t\n][^\n]*)", re.MULTILINE)


class BlsLine(NamedTuple):
    """One line with all of its characters, its newline included; `number` counts from 1.

    A field has a `key`, a `meaning` if zipl takes something from it, and a value from
    offset `start` to `end` of the text, trailing blanks left out.
    """

    number: int
    text: str
    key: str | None = None
    meaning: BlsKey | None = None
    start: int = 0
    end: int = 0

    @property
    def value(self) -> str:
        """The value as it is written; a carriage return at its end belongs to it."""
        return self.text[self.start : self.end]


class _Text(NamedTuple):
    text: str
    path: str = "entry.conf"


class BlsEntry(_Text):
    """The whole of one entry file; `path` is only used to say where something is."""

    @classmethod
    def parse(cls, text: str, path: str = "entry.conf") -> BlsEntry:
        """Read any text; never raises. ``BlsEntry.parse(text).render() == text``."""
        return _parsed(text, path)

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
    def problems(self) -> tuple[SyntaxProblem, ...]:
        """What zipl refuses; it stops at the first, and then refuses all entries."""
        return self.scan.problems

    def require_valid(self) -> None:
        """Raise `ParseError` for the first thing in the file that zipl refuses."""
        if self.problems:
            raise self.problems[0].error(self.path)

    @cached_property
    def misread(self) -> bool:
        """Whether zipl reads other fields than the file's lines hold, or in other places.

        That is the defect with a title below the first line, and it can change file names
        and parameters without a word.
        """
        written = sorted(
            (line.number, line.meaning, line.value.partition("\0")[0])
            for line in self.lines
            if line.meaning is not None
        )
        read = sorted((field.line, field.meaning, field.value) for field in self.scan.fields)
        return written != read

    def all(self, meaning: BlsKey) -> tuple[BlsField, ...]:
        """Return every field that zipl takes for `meaning`, in its order."""
        return tuple(field for field in self.scan.fields if field.meaning is meaning)

    def value(self, meaning: BlsKey) -> str | None:
        """Return the first value that zipl reads for `meaning`, or None."""
        found = self.all(meaning)
        return found[0].value if found else None

    @property
    def title(self) -> str | None:
        """The title: the name under which zipl knows the entry."""
        return self.value(BlsKey.TITLE)

    @property
    def options(self) -> str | None:
        """The parameter line as zipl reads it, or None if there is none."""
        return self.value(BlsKey.OPTIONS)

    @property
    def version(self) -> str | None:
        """The version by which zipl 2.22 and later sort entries, or None.

        The first unindented line that has one counts, and blanks at its end belong to it.
        """
        found = _VERSION.search(self.text)
        return None if found is None else found.group(1).partition("\0")[0]

    def set_options(self, value: str) -> BlsEntry:
        """Return the document with `value` as its parameter line.

        An existing value is replaced in its place; otherwise a new line follows the last of
        `linux` and `initrd`. A carriage return at the line's end and a missing final newline
        stay as they are. Raises `RefusedError` if there is more than one such line, if the
        format can't hold the value, or if zipl would not read back exactly it.
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
        end = "\r" if after.value.endswith("\r") else ""
        new = f"options {value}{end}"
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
        """Return `new` if zipl reads from it what is meant, and else refuse.

        With a title below the first line, a change of the last line changes what zipl takes
        for the title.
        """
        if not new.misread and (new.options or "").removesuffix("\r") == value.removesuffix("\r"):
            return new
        raise RefusedError(
            "zipl would misread the entry: it takes the length of the last line for that of"
            " a title that is not on the first line",
            location=Location(self.path),
            hint="move the title line to the top of the file",
        )


@lru_cache(maxsize=2**15)
def _parsed(text: str, path: str) -> BlsEntry:
    """Return the same entry for the same text: a change reads each file several times."""
    return BlsEntry(text, path)


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
        raise RefusedError("an options line has no way to write blanks at the ends of a value")
