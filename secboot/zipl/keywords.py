"""Which keyword may stand where, and how zipl reads numbers from values.

The tables are those of zipl/src/scan.c (scan_key_table, scan_menu_key_table); numbers are read with
sscanf, on a 64-bit big-endian machine.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.formats.zipl_line import Keyword
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACE = "[ \t\n\v\f\r]*"
_INT_LINE = re.compile(f"{_SPACE}([+-]?[0-9]+){_SPACE}$")
_INT_PREFIX = f"{_SPACE}([+-]?[0-9]+)"
_GEOMETRY = f"{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+){_SPACE}$"
_ADDRESS = f"{_SPACE}([+-]?)(?:0[xX])?([0-9a-fA-F]+)"

CHECK_ORDER = (
    Keyword.DEFAULT,
    Keyword.DUMPTO,
    Keyword.DUMPTOFS,
    Keyword.IMAGE,
    Keyword.PARAMETERS,
    Keyword.PARMFILE,
    Keyword.RAMDISK,
    Keyword.SEGMENT,
    Keyword.TARGET,
    Keyword.PROMPT,
    Keyword.TIMEOUT,
    Keyword.DEFAULTMENU,
    Keyword.TAPE,
    Keyword.MVDUMP,
    Keyword.TARGETBASE,
    Keyword.TARGETTYPE,
    Keyword.TARGETGEOMETRY,
    Keyword.TARGETBLOCKSIZE,
    Keyword.TARGETOFFSET,
    Keyword.DEFAULTAUTO,
    Keyword.KDUMP,
    Keyword.SECURE,
    Keyword.OPTIONAL,
)
"""The order in which zipl looks at keywords (enum scan_keyword_id)."""

TARGET_KEYWORDS = (
    Keyword.TARGET,
    Keyword.TARGETBASE,
    Keyword.TARGETTYPE,
    Keyword.TARGETGEOMETRY,
    Keyword.TARGETBLOCKSIZE,
    Keyword.TARGETOFFSET,
)
"""The keywords that a section without any of them inherits in an automatic menu."""


class SectionType(StrEnum):
    """What a section is for; the first three are kinds of ``[defaultboot]``."""

    DEFAULT_AUTO = "automatic menu"
    DEFAULT_MENU = "default menu"
    DEFAULT_SECTION = "default section"
    IPL = "ipl"
    SEGMENT = "segment"
    DUMP = "dump"
    DUMPFS = "file system dump"
    TAPE_IPL = "tape ipl"
    MVDUMP = "multi-volume dump"


class KeywordRules(NamedTuple):
    """Keywords that must, and that may, stand in a section; all others must not."""

    required: frozenset[Keyword]
    optional: frozenset[Keyword]

    def forbids(self, keyword: Keyword) -> bool:
        """Whether `keyword` must not stand in such a section."""
        return keyword not in self.required and keyword not in self.optional


_WHERE = frozenset(TARGET_KEYWORDS) - {Keyword.TARGET}
_KERNEL = frozenset({Keyword.PARAMETERS, Keyword.PARMFILE, Keyword.RAMDISK})
_MENU = frozenset({Keyword.DEFAULT, Keyword.PROMPT, Keyword.TIMEOUT, Keyword.SECURE})
_SECURE = frozenset({Keyword.SECURE})


def _rules(*required: Keyword, optional: frozenset[Keyword] = frozenset()) -> KeywordRules:
    return KeywordRules(frozenset(required), optional)


SECTION_RULES: Mapping[SectionType, KeywordRules] = {
    SectionType.DEFAULT_AUTO: _rules(
        Keyword.TARGET, optional=_MENU | _WHERE | {Keyword.DEFAULTAUTO}
    ),
    SectionType.DEFAULT_MENU: _rules(Keyword.DEFAULTMENU, optional=_SECURE),
    SectionType.DEFAULT_SECTION: _rules(Keyword.DEFAULT, optional=_SECURE),
    SectionType.IPL: _rules(
        Keyword.IMAGE,
        Keyword.TARGET,
        optional=_KERNEL | _WHERE | {Keyword.KDUMP, Keyword.SECURE, Keyword.OPTIONAL},
    ),
    SectionType.SEGMENT: _rules(Keyword.SEGMENT, Keyword.TARGET),
    SectionType.DUMP: _rules(Keyword.DUMPTO, optional=frozenset({Keyword.TARGET})),
    SectionType.TAPE_IPL: _rules(Keyword.IMAGE, Keyword.TAPE, optional=_KERNEL),
    SectionType.MVDUMP: _rules(Keyword.MVDUMP),
}
"""The rules of every type of section that zipl accepts; `DUMPFS` it refuses as deprecated."""

MENU_RULES = _rules(Keyword.TARGET, optional=_MENU | _WHERE)
"""The rules of a menu."""

_TYPE_KEYWORDS = (
    (Keyword.TAPE, SectionType.TAPE_IPL),
    (Keyword.IMAGE, SectionType.IPL),
    (Keyword.SEGMENT, SectionType.SEGMENT),
    (Keyword.DUMPTO, SectionType.DUMP),
    (Keyword.DUMPTOFS, SectionType.DUMPFS),
    (Keyword.MVDUMP, SectionType.MVDUMP),
)


def section_type(keywords: Mapping[Keyword, object]) -> SectionType | None:
    """Return what a section with these keywords is, or None (scan_get_section_type)."""
    found = (kind for keyword, kind in _TYPE_KEYWORDS if keyword in keywords)
    return next(found, None)


def whole_int(text: str) -> int | None:
    """Return the number that is all of `text`: ``sscanf(text, "%d %c", ...) == 1``."""
    found = _INT_LINE.match(text)
    return _int(found[1]) if found else None


def leading_int(text: str) -> int:
    """Return the number at the start of `text`, or 0: atoi(3)."""
    found = re.match(_INT_PREFIX, text)
    return _int(found[1]) if found else 0


def geometry(text: str) -> tuple[int, int, int] | None:
    """Return three numbers with commas between: ``sscanf(text, "%d,%d,%d %c", ...) == 3``."""
    found = re.match(_GEOMETRY, text)
    return (_int(found[1]), _int(found[2]), _int(found[3])) if found else None


def split_address(value: str) -> tuple[str, int | None]:
    """Split ``path,address``: the path, and the hexadecimal load address or None.

    Only the last comma counts, and only if hexadecimal digits follow it; what comes after
    these is dropped (job.c: extract_address). So ``/boot/kernel,beta`` is the file
    ``/boot/kernel`` at 0xbe.
    """
    path, comma, rest = value.rpartition(",")
    found = re.match(_ADDRESS, rest) if comma else None
    if found is None:
        return value, None
    number = min(int(found[2], 16), (1 << 64) - 1)
    return path, -number % (1 << 64) if found[1] == "-" else number


def _int(digits: str) -> int:
    """Read digits as glibc does: limited to a long, then cut down to an int."""
    number = max(-(1 << 63), min(int(digits), (1 << 63) - 1)) % (1 << 32)
    return number - (1 << 32) if number >= 1 << 31 else number
