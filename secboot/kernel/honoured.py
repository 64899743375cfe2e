"""Whether the running kernel does what a parameter asks, as far as it gives a sign of it."""

from __future__ import annotations

from secboot.finding import Finding, Severity
from secboot.named_tuple import NamedTuple


class Honoured(NamedTuple):
    """The sign, in words; `causes` are likely ones where it says no, the likeliest first.

    `value` is None where it is not known.
    """

    value: bool | None
    reason: str
    causes: tuple[Finding, ...] = ()


def cause(code: str, message: str, hint: str) -> Finding:
    """Return a cause that lies in the machine or its kernel, with what to do about it."""
    return Finding(code, Severity.NOTE, message, hint=hint)
