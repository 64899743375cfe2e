"""What can go wrong, said to the person who must act: what, where, and what to do.

Every error that secboot raises on purpose derives from `SecbootError`. The command line
turns it into one message and an exit code; anything else is a bug in secboot.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from secboot.named_tuple import NamedTuple


class ExitCode(IntEnum):
    """Exit codes of the ``secboot`` command, part of its interface; `secboot.cli.help` explains them."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    ROLLED_BACK = 3
    STUCK = 4
    DIFFERENCE = 5
    UNREPORTED = 6
    BUG = 70
    INTERRUPTED = 130


class Location(NamedTuple):
    """A place in a file, counted from 1; columns count characters, not bytes."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.path]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


class SecbootError(Exception):
    """An error that its reader can act on.

    `message` says what is wrong, `location` where, `hint` what to do about it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED
    quote = ""
    """The line that it is about, and a caret below its place; for people, where there is one."""

    def __init__(
        self, message: str, *, location: Location | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


class RefusedError(SecbootError):
    """secboot will not do this; nothing was changed."""


class ParseError(SecbootError):
    """A text is not what its format asks for."""

    exit_code = ExitCode.USAGE


class UsageError(SecbootError):
    """The command was called in a way that has no meaning."""

    exit_code = ExitCode.USAGE


class RolledBackError(SecbootError):
    """A change failed half-way and was undone: the machine is as before."""

    exit_code = ExitCode.ROLLED_BACK


class UnreportedError(SecbootError):
    """The change was made and stands, but its report could not be written."""

    exit_code = ExitCode.UNREPORTED


class StuckError(SecbootError):
    """A change failed and could not be undone; the message says how to restore by hand."""

    exit_code = ExitCode.STUCK
