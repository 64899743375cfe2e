"""One line of zipl.conf, read as zipl's scanner reads it (zipl/src/scan.c: scan_file).

The grammar has no construct that spans lines, so a line can be read and edited by itself.
Characters are classified as in the C locale: a blank is a space or a tab, and no byte above
0x7e is a letter or punctuation.
"""

from __future__ import annotations

import re
from enum import StrEnum

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.text import require_one_line
from secboot.named_tuple import NamedTuple


class LineKind(StrEnum):
    """The kind of a line in zipl.conf, as zipl sees it."""

    BLANK = "blank"
    COMMENT = "comment"
    SECTION = "section heading"
    MENU = "menu heading"
    ASSIGNMENT = "keyword assignment"
    NUMBER = "number assignment"
    FLAG = "keyword"
    REFUSED = "refused"


class Keyword(StrEnum):
    """The keywords of zipl.conf, in the order in which zipl tries them.

    zipl compares prefixes, so the order matters: ``targetbase`` must come before ``target``.
    ``optional`` came with zipl 2.21. `DEFAULTAUTO` is the only one used without a value.
    """

    DEFAULTMENU = "defaultmenu"
    DEFAULT = "default"
    DUMPTOFS = "dumptofs"
    DUMPTO = "dumpto"
    IMAGE = "image"
    MVDUMP = "mvdump"
    PARAMETERS = "parameters"
    PARMFILE = "parmfile"
    RAMDISK = "ramdisk"
    SEGMENT = "segment"
    TARGETBASE = "targetbase"
    TARGETTYPE = "targettype"
    TARGETGEOMETRY = "targetgeometry"
    TARGETBLOCKSIZE = "targetblocksize"
    TARGETOFFSET = "targetoffset"
    TARGET = "target"
    PROMPT = "prompt"
    TIMEOUT = "timeout"
    TAPE = "tape"
    KDUMP = "kdump"
    SECURE = "secure"
    OPTIONAL = "optional"
    DEFAULTAUTO = "defaultauto"


class Quoting(StrEnum):
    """The quote character of a value, or nothing."""

    NONE = ""
    DOUBLE = '"'
    SINGLE = "'"


class Value(NamedTuple):
    """A value: `text` as zipl reads it, and its position.

    `start` and `end` are offsets in the text of the line, without the quotes. zipl stores values
    as C strings, so `text` ends before the first NUL.
    """

    text: str
    start: int
    end: int
    quoting: Quoting


class ConfLine(NamedTuple):
    """One line of zipl.conf with all its characters, including the newline.

    `number` counts from 1. `name` is the name of a section or menu heading, `keyword` the keyword
    of an assignment or flag, `position` the menu position of a number assignment. A line that
    zipl refuses has the kind `LineKind.REFUSED` and a `problem`.
    """

    number: int
    text: str
    kind: LineKind
    name: str | None = None
    keyword: Keyword | None = None
    position: int | None = None
    value: Value | None = None
    problem: Finding | None = None

    @property
    def body(self) -> str:
        """The line without its newline."""
        return self.text.removesuffix("\n")

    @property
    def column(self) -> int:
        """The column of the first character that is not a blank, from 1."""
        return len(self.text) - len(self.text.lstrip(" \t")) + 1


_ASSIGNED = tuple(word for word in Keyword if word is not Keyword.DEFAULTAUTO)
_DIGITS = re.compile("[0-9]+")
_BLANKS = re.compile("[ \t]*")
_SECTION_NAME = re.compile(r"[!-\\^-~]*")
_MENU_NAME = re.compile("[0-9A-Za-z]*")
_INT_BITS = 32


class _Refused(Exception):  # noqa: N818 - control flow inside this module, never seen outside
    def __init__(self, code: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset


def parse_line(text: str, number: int = 1, path: str = "zipl.conf") -> ConfLine:
    """Read one line; `text` may end with a newline and contains no other. Never raises.

    `path` is only used in locations.
    """
    body = text.removesuffix("\n")
    start = len(body) - len(body.lstrip(" \t"))
    if start == len(body):
        return ConfLine(number, text, LineKind.BLANK)
    if body[start] == "#":
        return ConfLine(number, text, LineKind.COMMENT)
    try:
        return _statement(body, start, text, number)
    except _Refused as refused:
        place = Location(path, number, refused.offset + 1)
        problem = Finding(refused.code, Severity.ERROR, refused.message, place)
        return ConfLine(number, text, LineKind.REFUSED, problem=problem)


def _statement(body: str, start: int, text: str, number: int) -> ConfLine:
    if body[start] == "[":
        return ConfLine(number, text, LineKind.SECTION, name=_section_name(body, start + 1))
    if body[start] == ":":
        return ConfLine(number, text, LineKind.MENU, name=_menu_name(body, start + 1))
    if "=" in body:
        return _assignment(body, start, text, number)
    _flag(body, start)
    return ConfLine(number, text, LineKind.FLAG, keyword=Keyword.DEFAULTAUTO)


def _assignment(body: str, start: int, text: str, number: int) -> ConfLine:
    digits = _DIGITS.match(body, start)
    if digits:
        position = _position(digits.group(), start)
        message = "number expected as keyword"
        value = _value(body, digits.end(), "zipl.number-expected", message)
        return ConfLine(number, text, LineKind.NUMBER, position=position, value=value)
    keyword = next((word for word in _ASSIGNED if body.startswith(word, start)), None)
    if keyword is None:
        raise _Refused("zipl.unknown-keyword", "unknown keyword", start)
    message = "unexpected characters after keyword"
    value = _value(body, start + len(keyword), "zipl.no-equals-sign", message)
    return ConfLine(number, text, LineKind.ASSIGNMENT, keyword=keyword, value=value)


def _flag(body: str, start: int) -> None:
    if not body.startswith(Keyword.DEFAULTAUTO, start):
        raise _Refused("zipl.unknown-keyword", "unknown keyword", start)
    end = start + len(Keyword.DEFAULTAUTO)
    _require_end(body, end, "zipl.trailing-characters", "unexpected characters at end of line")


def _section_name(body: str, start: int) -> str:
    end = _end_of(_SECTION_NAME, body, start)
    if end == len(body):
        raise _Refused("zipl.section-unterminated", "unterminated section heading", start - 1)
    if body[end] != "]":
        raise _Refused("zipl.section-name", "invalid character in section name", end)
    if end == start:
        raise _Refused("zipl.section-name-empty", "empty section name", start)
    message = "unexpected characters after section name"
    _require_end(body, end + 1, "zipl.section-trailing-characters", message)
    return body[start:end]


def _menu_name(body: str, start: int) -> str:
    end = _end_of(_MENU_NAME, body, start)
    if end < len(body) and body[end] not in " \t":
        # zipl's message has a blank at its end.
        raise _Refused("zipl.menu-name", "invalid character in menu name ", end)
    _require_end(body, end, "zipl.menu-name-blanks", "blanks not allowed in menu name")
    if end == start:
        raise _Refused("zipl.menu-name-empty", "empty menu name", start)
    return body[start:end]


def _position(digits: str, start: int) -> int:
    """Read a menu position as scan_number does: in an int that can wrap around undetected."""
    number = 0
    for digit in digits:
        previous = number
        number = (number * 10 + int(digit)) % (1 << _INT_BITS)
        if number >= 1 << (_INT_BITS - 1):
            number -= 1 << _INT_BITS
        if number < previous:
            raise _Refused("zipl.number-too-large", "number too large", start)
    return number


def _value(body: str, offset: int, code: str, message: str) -> Value:
    """Read ``= value`` at `offset` (scan_value_string and its callers)."""
    equals = _end_of(_BLANKS, body, offset)
    if not body.startswith("=", equals):
        raise _Refused(code, message, equals)
    start = _end_of(_BLANKS, body, equals + 1)
    quote = body[start : start + 1]
    if quote not in {'"', "'"}:
        end = len(body.rstrip(" \t")) if start < len(body) else start
        return Value(_c_string(body[start:end]), start, end, Quoting.NONE)
    end = body.find(quote, start + 1)
    if end < 0:
        raise _Refused("zipl.unterminated-quotes", "unterminated quotes", start)
    trailing = "unexpected characters at end of line"
    _require_end(body, end + 1, "zipl.trailing-characters", trailing)
    return Value(_c_string(body[start + 1 : end]), start + 1, end, Quoting(quote))


def _require_end(body: str, offset: int, code: str, message: str) -> None:
    end = _end_of(_BLANKS, body, offset)
    if end < len(body):
        raise _Refused(code, message, end)


def _end_of(pattern: re.Pattern[str], body: str, offset: int) -> int:
    found = pattern.match(body, offset)
    return offset if found is None else found.end()


def _c_string(text: str) -> str:
    return text.partition("\0")[0]


def value_text(value: str, preferred: Quoting) -> str:
    """Write `value` so that zipl reads back exactly this value.

    The `preferred` quotes are tried first, then double quotes, single quotes, none. zipl has no
    escapes. Raises `RefusedError` for a value with a newline or a NUL, and for one with both kinds
    of quotes that also starts with a quote or has outer blanks: these can't be written.
    """
    require_one_line(value, "zipl.conf")
    for quoting in (preferred, Quoting.DOUBLE, Quoting.SINGLE, Quoting.NONE):
        if _can_hold(value, quoting):
            return f"{quoting}{value}{quoting}"
    raise RefusedError(
        "zipl.conf cannot hold a value that contains both kinds of quotes"
        " and starts with a quote or has blanks at its ends",
        hint="remove the outer blanks, or use only one kind of quotes",
    )


def _can_hold(value: str, quoting: Quoting) -> bool:
    if quoting is Quoting.NONE:
        return value == value.strip(" \t") and not value.startswith(('"', "'"))
    return quoting.value not in value
