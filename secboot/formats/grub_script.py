"""GRUB's script language, in which grub.cfg is written: text to statements.

Words and statements are those of grub-core/script/yylex.l and parser.y: a shell's, without
pipes, ``&&`` and command substitution, and with blocks in braces after ``menuentry`` and
``submenu``. `secboot.formats.grub_run` runs a script.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = r"\$(?:\{(\w+|[?#*@])\}|([A-Za-z_]\w*|\d+|[?#*@]))"
_PART = re.compile(
    r"""(?P<plain>[^\\'"$ \t\n;|&<>{}]+)|'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^\\"])*)"|"""
    rf"\\(?P<escape>.)|{_VARIABLE}|(?P<dollar>\$)",
    re.DOTALL | re.ASCII,
)
_IN_QUOTES = re.compile(rf"{_VARIABLE}|\\(?P<escape>[\\\"$`])|(?P<plain>[^\\$]+|[\\$])", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SKIPPED = re.compile(r"(?:[ \t]|\\\n)+")
_DELIMITER = re.compile(r"[;{}]|[ \t\n]*\n")
_RESERVED = frozenset({"in", "case", "esac", "select", "[[", "]]", "{", ";"})
"""Words that can be neither a command nor the variable of a loop; some have no meaning yet."""
_CLOSING = frozenset({"then", "elif", "else", "fi", "do", "done", "}"})
DEEPEST = 50
"""The deepest nesting that is read; a real file has a few levels."""


class Part(NamedTuple):
    """A piece of a word: literal `text`, or the name of a variable.

    Blanks in the value of a variable separate words, unless it is `quoted`.
    """

    text: str
    is_variable: bool = False
    quoted: bool = False


Word = tuple[Part, ...]


class SimpleCommand(NamedTuple):
    """A command on line `number` of the file, from 1, with its words and its `block` in braces."""

    number: int
    words: tuple[Word, ...]
    block: tuple[Statement, ...] | None = None


class If(NamedTuple):
    """Conditions, each with the body to run if it is the first true one; then the ``else`` body."""

    branches: tuple[tuple[tuple[Statement, ...], tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...] = ()


class Loop(NamedTuple):
    """``while``, or ``until`` if `until` is set."""

    condition: tuple[Statement, ...]
    body: tuple[Statement, ...]
    until: bool = False


class For(NamedTuple):
    """A loop over words."""

    variable: str
    words: tuple[Word, ...]
    body: tuple[Statement, ...]


class Function(NamedTuple):
    """The definition of a function."""

    name: str
    body: tuple[Statement, ...]


Statement = SimpleCommand | If | Loop | For | Function


class _Token(NamedTuple):
    """A word, or a delimiter if `word` is None. `keyword` is its text, "" at the end of a line."""

    number: int
    word: Word | None
    keyword: str = ""


def parse_script(text: str, path: str) -> Iterator[Statement]:
    """Read the statements one by one, as GRUB does, which runs each before it reads the next.

    Raises ParseError if the text is truncated or not a script.
    """
    reader = _Reader(list(_tokens(text, path)), path)
    reader.skip()
    while not reader.at_end:
        yield reader.statement()
        reader.end_of_command()


def _tokens(text: str, path: str) -> Iterator[_Token]:
    position, number = 0, 1
    while position < len(text):
        skipped = _SKIPPED.match(text, position)
        if skipped is not None:
            number += skipped[0].count("\n")
            position = skipped.end()
        elif text[position : position + 1] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif (delimiter := _DELIMITER.match(text, position)) is not None:
            yield _Token(number, None, delimiter[0].strip())
            number += delimiter[0].count("\n")
            position = delimiter.end()
        elif position < len(text):
            word, end = _word(text, position, number, path)
            written = text[position:end]
            yield _Token(number, word, written)
            number += written.count("\n")
            position = end


def _word(text: str, start: int, number: int, path: str) -> tuple[Word, int]:
    """Return the word that starts at `start`, and the offset where it ends."""
    parts: list[Part] = []
    position = start
    while position < len(text) and (match := _PART.match(text, position)) is not None:
        position = match.end()
        name = match[5] or match[6]
        if match["double"] is not None:
            parts += _quoted(match["double"])
        elif name is not None:
            parts.append(Part(name, is_variable=True))
        elif match["escape"] != "\n":
            quoted = match["plain"] is None
            literal = match["plain"] or match["single"] or match["escape"] or match["dollar"] or ""
            parts.append(Part(literal, quoted=quoted))
    if position == start:
        raise ParseError(
            "GRUB can't read this: a quote is not closed"
            if text[start] in "'\""
            else f"GRUB can't read this: unexpected {text[start]!r}",
            location=Location(path, number),
        )
    return _merged(parts), position


def _merged(parts: list[Part]) -> Word:
    """Join adjacent literal parts, so that a word with many escapes does not have many parts."""
    runs = groupby(parts, lambda part: None if part.is_variable else part.quoted)
    merged: list[Part] = []
    for quoted, run in runs:
        if quoted is None:
            merged += run
        else:
            merged.append(Part("".join(part.text for part in run), quoted=quoted))
    return tuple(merged)


def _quoted(text: str) -> Iterator[Part]:
    """Split text in double quotes; a backslash there only escapes characters with a meaning."""
    if not text:
        yield Part("", quoted=True)
    for match in _IN_QUOTES.finditer(text):
        name = match[1] or match[2]
        if name is not None:
            yield Part(name, is_variable=True, quoted=True)
        else:
            yield Part(match["escape"] or match["plain"], quoted=True)


class _Reader:
    """Reads statements from tokens."""

    def __init__(self, tokens: list[_Token], path: str) -> None:
        self._tokens, self._path = tokens, path
        self._position = 0
        self._depth = 0

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._tokens)

    def skip(self) -> None:
        """Skip ends of lines."""
        while not self.at_end and not self._peek():
            self._position += 1

    def end_of_command(self) -> None:
        """Skip the separator that must be between two statements."""
        if not self.at_end and self._peek() not in {"", ";"}:
            raise self._problem("a new line or a ';' is missing")
        self._position += 1
        self.skip()

    def statement(self) -> Statement:
        """Read one statement."""
        match self._peek():
            case "if":
                return self._if()
            case "while" | "until" as kind:
                self._position += 1
                condition = self._block("do")
                return Loop(condition, self._block("done"), until=kind == "until")
            case "for":
                return self._for()
            case "function" if not self._depth:
                return self._function()
            case keyword if keyword in _CLOSING or keyword in _RESERVED:
                raise self._problem(f"unexpected '{keyword}'")
            case "function":
                raise self._problem("a function is defined inside another statement")
        return self._command()

    def _peek(self) -> str:
        """The text of the next word as written; empty at the end of a command."""
        return "" if self.at_end else self._tokens[self._position].keyword

    def _next(self) -> _Token:
        if self.at_end:
            raise self._problem("the file is truncated")
        self._position += 1
        return self._tokens[self._position - 1]

    def _problem(self, what: str) -> ParseError:
        number = self._tokens[min(self._position, len(self._tokens) - 1)].number
        return ParseError(f"GRUB can't read this: {what}", location=Location(self._path, number))

    def _block(self, *ends: str) -> tuple[Statement, ...]:
        """Read statements up to one of the words `ends`, and skip that word."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._problem("the nesting is too deep")
        found = []
        self.skip()
        while self._peek() not in ends:
            if self.at_end:
                raise self._problem("the file is truncated")
            found.append(self.statement())
            if self._peek() != "}" or "}" not in ends:
                self.end_of_command()
        if not found:
            raise self._problem(f"a command is missing before '{self._peek()}'")
        self._position += 1
        self._depth -= 1
        return tuple(found)

    def _if(self) -> If:
        branches = []
        word = "elif"
        self._position += 1
        while word == "elif":
            condition = self._block("then")
            body = self._block("elif", "else", "fi")
            branches.append((condition, body))
            word = self._tokens[self._position - 1].keyword
        return If(tuple(branches), self._block("fi") if word == "else" else ())

    def _for(self) -> For:
        self._position += 1
        variable = self._next().keyword
        if _NAME.fullmatch(variable) is None or variable in _CLOSING or variable in _RESERVED:
            raise self._problem(f"'{variable}' is not a variable name")
        if self._next().keyword != "in":
            raise self._problem("'in' is missing")
        words = []
        while (token := self._next()).word is not None:
            words.append(token.word)
        if token.keyword not in {"", ";"}:
            raise self._problem(f"unexpected '{token.keyword}'")
        self.skip()
        if self._next().keyword != "do":
            raise self._problem("'do' is missing")
        return For(variable, tuple(words), self._block("done"))

    def _function(self) -> Function:
        self._position += 1
        name = self._next().keyword
        self.skip()
        if self._next().keyword != "{":
            raise self._problem("'{' is missing")
        return Function(name, self._block("}"))

    def _command(self) -> SimpleCommand:
        first = self._next()
        words = [] if first.word is None else [first.word]
        while not self.at_end and (token := self._tokens[self._position]).word is not None:
            self._position += 1
            words.append(token.word)
        if self._peek() == "{":
            self._position += 1
            return SimpleCommand(first.number, tuple(words), self._block("}"))
        return SimpleCommand(first.number, tuple(words))
