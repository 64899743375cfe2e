"""Numbers of any length, as C programs read them: limited by the size of the type."""

from __future__ import annotations

LONG_MAX = (1 << 63) - 1
_DIGITS_AT_ONCE = 18
"""Numbers with this many digits are below 2**63. (Python refuses to read more than 4,300 digits.)"""


def at_most(digits: str, limit: int = LONG_MAX) -> int:
    """Return the value of ASCII digits, or `limit` if it is larger (strtol(3) clamps)."""
    digits = digits.lstrip("0") or "0"
    return limit if len(digits) > len(str(limit)) else min(int(digits), limit)


def wrapped(digits: str, base: int, modulus: int) -> int:
    """Return the value of digits in a base up to 16, modulo `modulus`, in linear time."""
    number = 0
    for start in range(0, len(digits), _DIGITS_AT_ONCE):
        piece = digits[start : start + _DIGITS_AT_ONCE]
        number = (number * base ** len(piece) + int(piece, base)) % modulus
    return number
