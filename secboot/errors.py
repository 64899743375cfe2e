"""What can go wrong, said to the person who must act: what, where, and what to do.

Every error that secboot raises on purpose derives from `SecbootError`. The command line
turns it into one message and an exit code; anything else is a bug in secboot.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
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


class StateKind(StrEnum):
    """In which state a command that failed leaves the machine, for programs."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    """The change was rolled back: every file is as before, and so is the boot record."""
    PARTLY_RESTORED = "partly-restored"
    """Rolled back, but for what something else changed or removed meanwhile."""
    ZIPL_DUE = "zipl-due"
    """The files are as before; the boot record may not match them until zipl has succeeded."""
    NOT_RESTORED = "not-restored"
    """Files or settings are neither all old nor all new: no re-IPL before they are restored."""
    CHANGED = "changed"
    """The change was made and stands."""
    UNKNOWN = "unknown"
    """Another program was interrupted, and secboot cannot tell what it did."""


class MachineState(NamedTuple):
    """In which state the machine is: the last sentence of every failure, with what must not be done."""

    kind: StateKind
    sentence: str


UNCHANGED = MachineState(StateKind.UNCHANGED, "Nothing was changed.")


class Ledger:
    """Knows in which state the machine is if the command fails now.

    Whatever is about to change the machine enters what a failure from there on leaves (`expect`), and
    what is true once it is over (`settle`). So even a failure that nobody foresaw tells the truth.
    """

    def __init__(self) -> None:
        self.state = self.settled = UNCHANGED

    def expect(self, state: MachineState) -> None:
        """Enter what a failure leaves from here on."""
        self.state = state

    def settle(self, state: MachineState) -> None:
        """Enter what a step of the command has left; later steps fall back to it."""
        self.state = self.settled = state

    def reset(self) -> None:
        """Go back to what was settled last: what was expected since has left no trace."""
        self.state = self.settled


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
