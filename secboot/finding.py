"""A finding: something that is wrong or worth knowing, in one form for all its sources."""

from __future__ import annotations

from enum import StrEnum

from secboot.errors import Location
from secboot.named_tuple import NamedTuple


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The program that reads the file refuses it, or a requirement is not met."""
    WARNING = "warning"
    """It is accepted, but probably does not work as meant."""
    NOTE = "note"
    """It is useful to know."""


class Finding(NamedTuple):
    """A syntax error, a problem that zipl reports, a warning of a plan, a notice, or a likely cause.

    `code` is stable and names the rule; programs and secboot itself distinguish findings by it. `message`
    is one clause for people; no decision depends on its words. `hint` says what to do, if possible as a
    command that can be typed as shown.
    """

    code: str
    severity: Severity
    message: str
    location: Location | None = None
    hint: str | None = None
