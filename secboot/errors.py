"""Error types, worded for the person who has to act: what is wrong, where, and what to do.

Every error that secboot raises deliberately derives from `SecbootError`. The command line turns it into
one message and an exit code; any other exception is a bug in secboot.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar

from secboot.named_tuple import NamedTuple


class ExitCode(IntEnum):
    """Exit codes of the ``secboot`` command, which are part of its interface (see `secboot.cli.help`)."""

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
    """The state in which a failed command leaves the machine, for programs."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    """The change was rolled back: every file is as before, and so is the boot record."""
    PARTLY_RESTORED = "partly-restored"
    """The change was rolled back, except for what another program changed or removed meanwhile."""
    ZIPL_DUE = "zipl-due"
    """The files are as before; the boot record may not match them until zipl has succeeded."""
    NOT_RESTORED = "not-restored"
    """Files or settings are neither all old nor all new: no re-IPL before they are restored."""
    CHANGED = "changed"
    """The change was made and stands."""
    UNKNOWN = "unknown"
    """Another program was interrupted, and secboot cannot tell what it did."""


class MachineState(NamedTuple):
    """The state of the machine, and what must not be done: the last sentence of every failure."""

    kind: StateKind
    sentence: str


UNCHANGED = MachineState(StateKind.UNCHANGED, "Nothing was changed.")


class Ledger:
    """Holds the state in which the machine is if the command fails now.

    Code that is about to change the machine first enters the state that a failure would leave (`expect`),
    and afterwards the state that is reached (`settle`). So even an unforeseen failure reports the truth.
    """

    def __init__(self) -> None:
        self.state = self.settled = UNCHANGED

    def expect(self, state: MachineState) -> None:
        """Enter the state that a failure leaves from here on."""
        self.state = state

    def settle(self, state: MachineState) -> None:
        """Enter the state after a step of the command, to which `reset` returns."""
        self.state = self.settled = state

    def reset(self) -> None:
        """Return to the state that was settled last: nothing has changed since."""
        self.state = self.settled


class Location(NamedTuple):
    """A place in a file; lines and columns count from 1, columns count characters, not bytes."""

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
    """An error that the user can act on.

    `message` says what is wrong, `location` where, `hint` what to do about it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED
    quote = ""
    """The line with the error and a caret below the place, for people; empty if there is none."""

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
    """secboot refuses to do this; no file was changed."""


class ParseError(SecbootError):
    """A file does not have the required format."""

    exit_code = ExitCode.USAGE


class UsageError(SecbootError):
    """The command was called incorrectly."""

    exit_code = ExitCode.USAGE


class RolledBackError(SecbootError):
    """A change failed and was rolled back: the machine is as before."""

    exit_code = ExitCode.ROLLED_BACK


class UnreportedError(SecbootError):
    """The change was made and stands, but its report could not be written."""

    exit_code = ExitCode.UNREPORTED


class StuckError(SecbootError):
    """A change failed and could not be rolled back; the message says how to do it by hand."""

    exit_code = ExitCode.STUCK
