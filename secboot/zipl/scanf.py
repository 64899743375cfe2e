"""How zipl reads numbers from values: with sscanf, on a 64-bit big-endian machine."""

from __future__ import annotations

import re

_SPACE = "[ \t\n\v\f\r]*"
_INT_LINE = re.compile(f"{_SPACE}([+-]?[0-9]+){_SPACE}$")
_INT_PREFIX = f"{_SPACE}([+-]?[0-9]+)"
_GEOMETRY = f"{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+),{_SPACE}([+-]?[0-9]+){_SPACE}$"
_ADDRESS = f"{_SPACE}([+-]?)(?:0[xX])?([0-9a-fA-F]+)"


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
