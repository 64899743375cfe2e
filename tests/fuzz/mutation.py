"""Inputs from inputs: bytes, words, lines, numbers and JSON values changed, moved, doubled and cut.

All randomness comes from a `Random`, so a seed reproduces the inputs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

COMMON = (
    b"\0", b"\n", b"\r\n", b"\t", b" ", b'"', b"'", b"=", b"#", b"[", b"]", b":", b"\\", b"{", b"}",
    b"${", b"$(", b"`", b"--", b"..", b"/", b"&a ", b"*a", b"- ", b"<!--", b"]]>", b"&#0;", b"%",
    b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\x1b[2J", "\u202e".encode(), "\u2028".encode(),
    b"\xed\xa0\x80", "\u0663".encode(), "\u0130".encode(), b"prot_virt=1", b"swiotlb=",
)  # fmt: skip
"""Characters that are special to some reader."""
_NUMBERS = (
    b"0", b"-1", b"1", b"00", b"0x10", b"1e999", b"63", b"2147483648", b"4294967296",
    b"9223372036854775808", b"18446744073709551616", b"9" * 400, b"9" * 5000,
)  # fmt: skip
_VALUES = (
    b"null", b"true", b"0", b"-1", b"1.5", b"1e999", b'""', b'"x"', b"[]", b"{}", b"[[]]",
    b'"\\ud800"', b'"\\u0000"', b'"/etc/passwd"', b'"../../etc/passwd"', b'"\\u001b[2J"',
)  # fmt: skip
_SCALAR = re.compile(rb'"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')
_WORD = re.compile(rb"[^\s=:,\"'\[\]{}<>/]+")
_DIGITS = re.compile(rb"\d+")
_LONGEST_CUT = 40

Change = Callable[["Mutator", bytes], bytes]


class Mutator:
    """Creates inputs. `words` are what the readers look for; `others` are inputs to take parts from."""

    def __init__(self, chance: Random, words: Sequence[bytes], limit: int) -> None:
        self.chance = chance
        self.words = tuple(words) or COMMON
        self.limit = limit

    def mutated(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """The input with one to eight changes."""
        for _ in range(1 << self.chance.randrange(4)):
            if others and self.chance.random() < 0.1:
                data = self._crossed(data, self.chance.choice(others))
            else:
                data = self.chance.choice(_CHANGES)(self, data)
        return data[: self.limit]

    def span(self, data: bytes) -> tuple[int, int]:
        """The position of a short part of the input."""
        start = self.chance.randrange(len(data) + 1)
        return start, min(len(data), start + self.chance.randrange(_LONGEST_CUT))

    def word(self) -> bytes:
        """A text that may have a meaning."""
        return self.chance.choice(self.words if self.chance.random() < 0.7 else COMMON)

    def place(self, data: bytes, kind: re.Pattern[bytes]) -> tuple[int, int]:
        """The position of something of a kind, near a place; an empty part if there is none."""
        start = self.chance.randrange(len(data) + 1)
        found = kind.search(data, start) or kind.search(data)
        return (start, start) if found is None else found.span()

    def _crossed(self, data: bytes, other: bytes) -> bytes:
        if self.chance.random() < 0.5:
            lines = other.splitlines(keepends=True)
            part = self.chance.choice(lines) if lines else b""
            own = data.splitlines(keepends=True)
            place = self.chance.randrange(len(own) + 1)
            return b"".join([*own[:place], part, *own[place:]])
        start, end = self.chance.randrange(len(data) + 1), self.chance.randrange(len(other) + 1)
        return data[:start] + other[end:]


def _flipped(by: Mutator, data: bytes) -> bytes:
    if not data:
        return data
    at = by.chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << by.chance.randrange(8)]) + data[at + 1 :]


def _noise(by: Mutator, data: bytes) -> bytes:
    start, end = by.span(data)
    return data[:start] + by.chance.randbytes(by.chance.randrange(1, 9)) + data[end:]


def _removed(by: Mutator, data: bytes) -> bytes:
    start, end = by.span(data)
    return data[:start] + data[end:]


def _cut_off(by: Mutator, data: bytes) -> bytes:
    return data[: by.chance.randrange(len(data) + 1)]


def _inserted(by: Mutator, data: bytes) -> bytes:
    start, _ = by.span(data)
    return data[:start] + by.word() + data[start:]


def _replaced(by: Mutator, data: bytes) -> bytes:
    start, end = by.place(data, _WORD)
    return data[:start] + by.word() + data[end:]


def _doubled(by: Mutator, data: bytes) -> bytes:
    start, end = by.span(data)
    return data[:end] + data[start:end] * by.chance.choice((1, 1, 2, 9)) + data[end:]


def _copied(by: Mutator, data: bytes) -> bytes:
    start, end = by.span(data)
    to, _ = by.span(data)
    return data[:to] + data[start:end] + data[to:]


def _lines(by: Mutator, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    one, other = by.chance.randrange(len(lines)), by.chance.randrange(len(lines))
    kind = by.chance.randrange(4)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(other, lines[one])
    elif kind == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        words = lines[one].split(b" ")
        by.chance.shuffle(words)
        lines[one] = b" ".join(words)
    return b"".join(lines)


def _number(by: Mutator, data: bytes) -> bytes:
    start, end = by.place(data, _DIGITS)
    return data[:start] + by.chance.choice(_NUMBERS) + data[end:]


def _value(by: Mutator, data: bytes) -> bytes:
    start, end = by.place(data, _SCALAR)
    return data[:start] + by.chance.choice(_VALUES) + data[end:]


def _integer(by: Mutator, data: bytes) -> bytes:
    """A number as programs store it, in one to eight bytes, changed in place."""
    size = 1 << by.chance.randrange(4)
    if len(data) < size:
        return data
    at = by.chance.randrange(len(data) - size + 1)
    top = 1 << 8 * size
    old = int.from_bytes(data[at : at + size], "big")
    new = by.chance.choice((0, 1, top - 1, top // 2, old + 1, old - 1, old * 2, len(data))) % top
    return data[:at] + new.to_bytes(size, "big") + data[at + size :]


_CHANGES: tuple[Change, ...] = (
    _flipped, _noise, _removed, _cut_off, _inserted, _inserted, _replaced, _replaced, _doubled,
    _copied, _lines, _lines, _number, _value, _integer,
)  # fmt: skip


class Growth(NamedTuple):
    """An input of any size: part of it is repeated. A numbered part differs each time."""

    before: bytes
    part: bytes
    after: bytes
    numbered: bool

    def of_size(self, size: int) -> bytes:
        """The input with about this many bytes in the repeated part."""
        if not self.numbered:
            return self.before + self.part * max(1, size // len(self.part)) + self.after
        count = max(1, size // (len(self.part) + 4))
        word = _WORD.search(self.part)
        at = len(self.part) if word is None else word.end()
        head, tail = self.part[:at], self.part[at:]
        return (
            self.before + b"".join(b"%s%d%s" % (head, n, tail) for n in range(count)) + self.after
        )


def growth(by: Mutator, data: bytes) -> Growth:
    """Some way to let an input grow: by a line, a word, or any part of it."""
    kind = by.chance.randrange(4)
    if kind == 0:
        start, end = by.place(data, re.compile(rb"[^\n]*\n"))
    elif kind == 1:
        start, end = by.place(data, _WORD)
        end = min(len(data), end + 1)
    else:
        start, end = by.span(data)
    part = data[start:end]
    if kind == 3 or not part:
        part = b"".join(by.word() for _ in range(by.chance.randrange(1, 4)))
    return Growth(data[:end], part, data[end:], numbered=by.chance.random() < 0.4)
