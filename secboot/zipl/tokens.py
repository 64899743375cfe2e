"""zipl's tokens: one flat list of zipl.conf and all BLS entries (zipl/include/scan.h).

zipl appends the fields of BLS entries to the tokens of zipl.conf, so an entry whose title
got lost continues the section before it. Keeping zipl's shape keeps its verdicts.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.bls_entry import BlsKey
from secboot.formats.zipl_line import ConfLine, Keyword, LineKind
from secboot.named_tuple import NamedTuple
from secboot.zipl.keywords import split_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_conf import ZiplConf
    from secboot.zipl.files import FileLookup


class TokenKind(StrEnum):
    """Kinds of tokens, named as zipl names them in messages."""

    SECTION = "section heading"
    MENU = "menu heading"
    KEYWORD = "keyword assignment"
    NUMBER = "number assignment"
    FLAG = "keyword"


class Token(NamedTuple):
    """One token; `text` is a heading's name or an assignment's value.

    `line` is zipl's line number: 0 for all that does not stand in zipl.conf. `location` is
    where the text really comes from, `entry` the BLS entry if it comes from one.
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
        """Whether a section or menu begins here."""
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
    """Return the tokens of zipl.conf; lines that zipl refuses give none."""
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

    An entry without a title is refused by zipl; it gets its file's name for a heading
    here, so that the rest of it can be shown.
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
    """Tokens in zipl's order, with quick ways to find sections and menus."""

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
        """Return where the first heading from `start` on is (scan_find_section)."""
        found = self._headings.get((kind, name), [])
        place = bisect_left(found, start)
        return found[place] if place < len(found) else None

    def body(self, heading: int) -> list[Token]:
        """Return the tokens from behind `heading` to the next heading or the end."""
        behind = (self.tokens[index] for index in range(heading + 1, len(self.tokens)))
        return list(takewhile(lambda token: not token.is_heading, behind))

    def leading_keywords(self, heading: int) -> dict[Keyword, Token]:
        """Return the keyword assignments of a section as get_section_job collects them.

        It stops at the first other token, and the last of several assignments wins.
        """
        assigned = takewhile(lambda token: token.kind is TokenKind.KEYWORD, self.body(heading))
        return {token.keyword: token for token in assigned if token.keyword is not None}


def resolve_paths(tokens: TokenList, files: FileLookup) -> TokenList:
    """Return the tokens with images and ramdisks as zipl will open them.

    A path that can't be read as it stands gets the value of the first `target` of all
    before it, if that makes it readable. In spite of its name the function does so for
    sections of zipl.conf too.
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
    if files.look(path).readable or not files.look(target + path).readable:
        return token
    return token._replace(text=target + token.text)
