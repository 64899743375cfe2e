"""One thing that is wrong, or worth knowing: the form is the same for all who find something."""

from __future__ import annotations

from enum import StrEnum

from secboot.errors import Location
from secboot.named_tuple import NamedTuple


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The program that reads the file would refuse it, or what was asked for is not so."""
    WARNING = "warning"
    """It goes on, but hardly as it was meant."""
    NOTE = "note"
    """It helps to know it."""


class Finding(NamedTuple):
    """A syntax error, a problem that zipl would name, a plan's warning, a notice, a likely cause.

    `code` is stable, names the rule, and is what programs and secboot itself tell findings apart
    by; `message` is one clause for people, and nobody decides anything by its words. `hint` says
    what to do, as a command that can be typed as shown where there is one.
    """

    code: str
    severity: Severity
    message: str
    location: Location | None = None
    hint: str | None = None
