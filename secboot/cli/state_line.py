"""The state of the machine: the last line of every failure of a command that can change it.

Commands that only read (``plan``, ``status``, ``--dry-run``) change nothing and have no such line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import ExitCode, Ledger, StateKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.errors import MachineState

_WRITING = frozenset({"init", "apply", "set", "confirm", "rollback", "keep", "check"})
_EXIT_CODES = {
    StateKind.RESTORED: ExitCode.ROLLED_BACK,
    StateKind.PARTLY_RESTORED: ExitCode.ROLLED_BACK,
    StateKind.ZIPL_DUE: ExitCode.STUCK,
    StateKind.NOT_RESTORED: ExitCode.STUCK,
    StateKind.CHANGED: ExitCode.UNREPORTED,
}
"""The exit code of an unexpected failure, by the state that it leaves."""

_ledger: Ledger | None = None


def can_change(words: Sequence[str], verbs: Sequence[str]) -> bool:
    """Return whether a command line, which may be invalid, is of a command that can change a machine."""
    verb = next((word for word in words if word in verbs), None)
    return verb in _WRITING and (verb != "check" or "--fix" in words)


def begin(*, changes: bool) -> None:
    """Begin a command; `changes` is whether it can change a machine."""
    global _ledger  # noqa: PLW0603 - a process runs one command at a time
    _ledger = Ledger() if changes else None


def changes_nothing() -> None:
    """Declare that this command only reads."""
    begin(changes=False)


def ledger() -> Ledger | None:
    """Return the ledger that this command must keep up to date; None if it only reads."""
    return _ledger


def state() -> MachineState | None:
    """Return the current state of the machine; None for a command that only reads."""
    return None if _ledger is None else _ledger.state


def code_of_state() -> ExitCode:
    """Return the exit code of an unexpected failure, which depends on the state of the machine.

    What an earlier step of the command has settled is complete and not affected by the failure.
    """
    if _ledger is None or (
        _ledger.state is _ledger.settled and _ledger.state.kind is not StateKind.CHANGED
    ):
        return ExitCode.REFUSED
    return _EXIT_CODES.get(_ledger.state.kind, ExitCode.REFUSED)
