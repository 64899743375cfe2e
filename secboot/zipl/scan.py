"""zipl's tokens, the keywords among them, and how numbers are read from values.

The tokens of zipl.conf and all BLS entries are one flat list (zipl/include/scan.h): zipl appends
the fields of BLS entries to the tokens of zipl.conf, so an entry without a title continues the
section before it. Using zipl's data structure gives zipl's verdicts. The tables of keywords are
those of zipl/src/scan.c (scan_key_table, scan_menu_key_table); numbers are read as by sscanf on a
64-bit big-endian machine.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.bls_entry import BlsKey
from secboot.formats.numbers import LONG_MAX, at_most
from secboot.formats.zipl_line import ConfLine, Keyword, LineKind
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_conf import ZiplConf
    from secboot.zipl.file_facts import FileLookup

_SPACE = "[ \t\n\v\f\r]*"
_INT_LINE = re.compile(f"{_SPACE}([+-]?[0-9]+){_SPACE}$")
_INT_PREFIX = f"{_SPACE}([+-]?[0-9]+)"
_GEOMETRY = f"{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+){_SPACE}$"
_ADDRESS = f"{_SPACE}([+-]?)(?:0[xX])?([0-9a-fA-F]+)"

CHECK_ORDER = tuple(
    map(
        Keyword,
        [
            "default",
            "dumpto",
            "dumptofs",
            "image",
            "parameters",
            "parmfile",
            "ramdisk",
            "segment",
            "target",
            "prompt",
            "timeout",
            "defaultmenu",
            "tape",
            "mvdump",
            "targetbase",
            "targettype",
            "targetgeometry",
            "targetblocksize",
            "targetoffset",
            "defaultauto",
            "kdump",
            "secure",
            "optional",
        ],
    )
)
"""The order in which zipl checks keywords (enum scan_keyword_id)."""

TARGET_KEYWORDS = tuple(word for word in CHECK_ORDER if word.startswith("target"))
"""A section with none of these keywords inherits them in an automatic menu."""


class EntryKind(StrEnum):
    """The kind of a section: what happens when it is IPLed."""

    IPL = "ipl"
    SEGMENT = "segment"
    DUMP = "dump"
    DUMPFS = "dumpfs"
    TAPE_IPL = "tape-ipl"
    MVDUMP = "mvdump"
    UNKNOWN = "unknown"
    """zipl refuses the section because its kind is undefined."""


class DefaultKind(StrEnum):
    """What ``[defaultboot]`` refers to."""

    AUTO = "automatic menu"
    MENU = "menu"
    SECTION = "section"


class KeywordRules(NamedTuple):
    """The keywords that a section requires and allows; all others are forbidden."""

    required: frozenset[Keyword]
    optional: frozenset[Keyword]

    def forbids(self, keyword: Keyword) -> bool:
        """Whether such a section must not contain `keyword`."""
        return keyword not in self.required and keyword not in self.optional


_WHERE = frozenset(TARGET_KEYWORDS) - {Keyword.TARGET}
_KERNEL = frozenset({Keyword.PARAMETERS, Keyword.PARMFILE, Keyword.RAMDISK})
_MENU = frozenset({Keyword.DEFAULT, Keyword.PROMPT, Keyword.TIMEOUT, Keyword.SECURE})
_SECURE = frozenset({Keyword.SECURE})


def _rules(*required: Keyword, optional: frozenset[Keyword] = frozenset()) -> KeywordRules:
    return KeywordRules(frozenset(required), optional)


SECTION_RULES: Mapping[EntryKind | DefaultKind, KeywordRules] = {
    DefaultKind.AUTO: _rules(Keyword.TARGET, optional=_MENU | _WHERE | {Keyword.DEFAULTAUTO}),
    DefaultKind.MENU: _rules(Keyword.DEFAULTMENU, optional=_SECURE),
    DefaultKind.SECTION: _rules(Keyword.DEFAULT, optional=_SECURE),
    EntryKind.IPL: _rules(
        Keyword.IMAGE,
        Keyword.TARGET,
        optional=_KERNEL | _WHERE | {Keyword.KDUMP, Keyword.SECURE, Keyword.OPTIONAL},
    ),
    EntryKind.SEGMENT: _rules(Keyword.SEGMENT, Keyword.TARGET),
    EntryKind.DUMP: _rules(Keyword.DUMPTO, optional=frozenset({Keyword.TARGET})),
    EntryKind.TAPE_IPL: _rules(Keyword.IMAGE, Keyword.TAPE, optional=_KERNEL),
    EntryKind.MVDUMP: _rules(Keyword.MVDUMP),
}
"""The rules for each kind of section that zipl accepts; it refuses `DUMPFS` as deprecated."""

MENU_RULES = _rules(Keyword.TARGET, optional=_MENU | _WHERE)
"""The rules for a menu."""

_KIND_KEYWORDS = {
    Keyword.TAPE: EntryKind.TAPE_IPL,
    Keyword.IMAGE: EntryKind.IPL,
    Keyword.SEGMENT: EntryKind.SEGMENT,
    Keyword.DUMPTO: EntryKind.DUMP,
    Keyword.DUMPTOFS: EntryKind.DUMPFS,
    Keyword.MVDUMP: EntryKind.MVDUMP,
}


def entry_kind(keywords: Mapping[Keyword, object]) -> EntryKind:
    """Return the kind of a section with these keywords (scan_get_entry_kind)."""
    found = (kind for keyword, kind in _KIND_KEYWORDS.items() if keyword in keywords)
    return next(found, EntryKind.UNKNOWN)


def whole_int(text: str) -> int | None:
    """Return the number if `text` is nothing else: ``sscanf(text, "%d %c", ...) == 1``."""
    found = _INT_LINE.match(text)
    return _int(found[1]) if found else None


def leading_int(text: str) -> int:
    """Return the number at the start of `text`, or 0: atoi(3)."""
    found = re.match(_INT_PREFIX, text)
    return _int(found[1]) if found else 0


def geometry(text: str) -> tuple[int, int, int] | None:
    """Return three numbers separated by commas: ``sscanf(text, "%d,%d,%d %c", ...) == 3``."""
    found = re.match(_GEOMETRY, text)
    return (_int(found[1]), _int(found[2]), _int(found[3])) if found else None


def split_address(value: str) -> tuple[str, int | None]:
    """Split ``path,address`` into the path and the hexadecimal load address, or None.

    Only the last comma is a separator, and only if hexadecimal digits follow it; the text after
    the digits is dropped (job.c: extract_address). So ``/boot/kernel,beta`` is the file
    ``/boot/kernel`` at 0xbe.
    """
    path, comma, rest = value.rpartition(",")
    found = re.match(_ADDRESS, rest) if comma else None
    if found is None:
        return value, None
    number = min(int(found[2], 16), (1 << 64) - 1)
    return path, -number % (1 << 64) if found[1] == "-" else number


def _int(digits: str) -> int:
    """Read digits as glibc does: limited to a long, then truncated to an int."""
    if digits.startswith("-"):
        number = -at_most(digits[1:], LONG_MAX + 1) % (1 << 32)
    else:
        number = at_most(digits.removeprefix("+")) % (1 << 32)
    return number - (1 << 32) if number >= 1 << 31 else number


class TokenKind(StrEnum):
    """The kinds of tokens, with their names in zipl's messages."""

    SECTION = "section heading"
    MENU = "menu heading"
    KEYWORD = "keyword assignment"
    NUMBER = "number assignment"
    FLAG = "keyword"


class Token(NamedTuple):
    """One token; `text` is the name of a heading or the value of an assignment.

    `line` is zipl's line number: 0 for everything outside zipl.conf. `location` is where the
    text really is, `entry` the BLS entry that contains it, if any.
    """

    kind: TokenKind
    text: str
    line: int
    location: Location
    keyword: Keyword | None = None
    number: int = 0
    entry: BlsEntry | None = None

    @property
    def is_heading(self) -> bool:
        """Whether this token starts a section or menu."""
        return self.kind in {TokenKind.SECTION, TokenKind.MENU}


_CONF_KINDS = {
    LineKind.SECTION: TokenKind.SECTION,
    LineKind.MENU: TokenKind.MENU,
    LineKind.ASSIGNMENT: TokenKind.KEYWORD,
    LineKind.NUMBER: TokenKind.NUMBER,
    LineKind.FLAG: TokenKind.FLAG,
}

_BLS_PATHS = (Keyword.IMAGE, Keyword.RAMDISK)
_BLS_KEYWORDS = {
    BlsKey.LINUX: Keyword.IMAGE,
    BlsKey.OPTIONS: Keyword.PARAMETERS,
    BlsKey.INITRD: Keyword.RAMDISK,
}


def conf_tokens(conf: ZiplConf) -> list[Token]:
    """Return the tokens of zipl.conf, without the lines that zipl refuses."""
    return [
        _conf_token(line, kind, conf.path)
        for line in conf.lines
        if (kind := _CONF_KINDS.get(line.kind)) is not None
    ]


def _conf_token(line: ConfLine, kind: TokenKind, path: str) -> Token:
    text = line.value.text if line.value is not None else line.name or ""
    location = Location(path, line.number, line.column)
    return Token(kind, text, line.number, location, line.keyword, line.position or 0)


def entry_tokens(entry: BlsEntry) -> list[Token]:
    """Return the tokens of a BLS entry as scan_bls_field appends them.

    zipl refuses an entry without a title; here its file name becomes the heading, so that the
    rest of it can be shown.
    """
    tokens = []
    if not _has_title_line(entry):
        name = entry.path.rpartition("/")[2]
        tokens.append(Token(TokenKind.SECTION, name, 0, Location(entry.path), entry=entry))
    for field in entry.scan.fields:
        location = Location(entry.path, field.line, field.column)
        if field.meaning is BlsKey.TITLE:
            tokens.append(Token(TokenKind.SECTION, field.value, 0, location, entry=entry))
        else:
            keyword = _BLS_KEYWORDS[field.meaning]
            tokens.append(Token(TokenKind.KEYWORD, field.value, 0, location, keyword, entry=entry))
    return tokens


def _has_title_line(entry: BlsEntry) -> bool:
    return all(problem.code != "bls.no-title" for problem in entry.problems)


class TokenList:
    """Tokens in zipl's order, with an index of sections and menus."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens = tuple(tokens)
        self._headings: dict[tuple[TokenKind, str], list[int]] = {}
        for index, token in enumerate(self.tokens):
            if token.is_heading:
                self._headings.setdefault((token.kind, token.text), []).append(index)

    def __getitem__(self, index: int) -> Token:
        return self.tokens[index]

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def find(self, name: str, kind: TokenKind, start: int = 0) -> int | None:
        """Return the index of the first such heading at or after `start` (scan_find_section)."""
        found = self._headings.get((kind, name), [])
        place = bisect_left(found, start)
        return found[place] if place < len(found) else None

    def body(self, heading: int) -> list[Token]:
        """Return the tokens after `heading`, up to the next heading or the end."""
        following = (self.tokens[index] for index in range(heading + 1, len(self.tokens)))
        return list(takewhile(lambda token: not token.is_heading, following))

    def leading_keywords(self, heading: int) -> dict[Keyword, Token]:
        """Return the keyword assignments of a section as get_section_job collects them.

        It stops at the first other token, and the last of several assignments wins.
        """
        assigned = takewhile(lambda token: token.kind is TokenKind.KEYWORD, self.body(heading))
        return {token.keyword: token for token in assigned if token.keyword is not None}


def resolve_paths(tokens: TokenList, files: FileLookup) -> TokenList:
    """Return the tokens with the paths of images and ramdisks as zipl opens them.

    A path that can't be read as written is prefixed with the value of the very first `target`, if
    that makes it readable. Despite the name of zipl's function, this includes the sections of
    zipl.conf.
    """
    target = next((token.text for token in tokens if token.keyword is Keyword.TARGET), None)
    if target is None:
        return tokens
    return TokenList(
        _resolved(token, target, files) if token.keyword in _BLS_PATHS else token
        for token in tokens
    )


def _resolved(token: Token, target: str, files: FileLookup) -> Token:
    path, _ = split_address(token.text)
    if files.look(path).is_file or not files.look(target + path).is_file:
        return token
    return token._replace(text=target + token.text)
