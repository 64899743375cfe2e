"""glibc's strverscmp(3), by which zipl sorts BLS entries.

Unlike a version comparison of a package manager it knows no ``~`` and no ``^``, and it
takes digits after a leading zero for a fraction: ``1.01`` sorts before ``1.1``.
"""

from __future__ import annotations

import re
from functools import cmp_to_key

_PARTS = re.compile(r"[0-9]+")


def strverscmp(left: str, right: str) -> int:
    """Return a number below, equal to or above zero as `left` sorts before, with, after `right`.

    Characters compare as bytes of their encoding, which for UTF-8 is their own order.
    """
    position = _first_difference(left, right)
    if position is None:
        return 0
    start = position
    while start > 0 and _is_digit(left, start - 1):
        start -= 1
    if not _in_number(left, right, start, position):
        return _bytes_compare(left, right, position)
    left_run, right_run = _digits(left, start), _digits(right, start)
    if left_run.startswith("0") or right_run.startswith("0"):
        return _fraction_compare(left, right, start, position)
    if len(left_run) != len(right_run):
        return len(left_run) - len(right_run)
    return _bytes_compare(left, right, position)


version_key = cmp_to_key(strverscmp)
"""A sort key that orders strings as `strverscmp` does."""


def _first_difference(left: str, right: str) -> int | None:
    if left == right:
        return None
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _is_digit(text: str, position: int) -> bool:
    return position < len(text) and text[position] in "0123456789"


def _in_number(left: str, right: str, start: int, position: int) -> bool:
    """Whether the strings differ inside a run of digits, or at the end of one."""
    if start < position:
        return _is_digit(left, position) or _is_digit(right, position)
    return _is_digit(left, position) and _is_digit(right, position)


def _digits(text: str, start: int) -> str:
    found = _PARTS.match(text, start)
    return found.group() if found else ""


def _fraction_compare(left: str, right: str, start: int, position: int) -> int:
    """Compare runs of digits of which one starts with a zero.

    While both are still zeros at the difference, the run with more leading zeros is less;
    behind the zeros the digits compare one by one, and a longer run is greater.
    """
    only_zeros = set(left[start:position]) <= {"0"}
    if only_zeros and position > start:
        left_digit, right_digit = _is_digit(left, position), _is_digit(right, position)
        if left_digit != right_digit:
            return -1 if left_digit else 1
    return _bytes_compare(left, right, position)


def _bytes_compare(left: str, right: str, position: int) -> int:
    a = left[position:].encode(errors="surrogateescape")[:1]
    b = right[position:].encode(errors="surrogateescape")[:1]
    return (a > b) - (a < b)
