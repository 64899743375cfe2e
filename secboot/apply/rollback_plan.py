"""What a rollback would do: frozen data, which can be shown, and is followed as it is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.checkpoint.changed_files import Conflict
from secboot.errors import RefusedError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.apply.next_default import NextDefault
    from secboot.checkpoint.record import Action, Checkpoint
    from secboot.checkpoint.settings import Setting
    from secboot.finding import Finding
    from secboot.system.files import FileChange


class Choices(NamedTuple):
    """What the user wants of a rollback.

    With `force` files that somebody changed since are put back too, with `keep` they are left.
    With `leave_new` boot entries that were added since stay as they are.
    """

    force: bool = False
    keep: bool = False
    leave_new: bool = False

    @property
    def conflict(self) -> Conflict | None:
        """What to do with a file that was changed since; None where that was not said."""
        return Conflict.OVERWRITE if self.force else Conflict.KEEP if self.keep else None


class BootRecordStep(StrEnum):
    """What becomes of the boot record after a rollback."""

    WRITTEN = "written"
    """The programs write it."""
    PENDING = "pending"
    """Somebody has to run the programs before the next IPL."""
    NOT_NEEDED = "not-needed"


class UndoneChange(NamedTuple):
    """A change that is undone: the checkpoint, and what it was, when (RFC 3339, UTC).

    `what` names it as ``secboot history`` does.
    """

    checkpoint: str
    action: Action
    profile: str | None
    started: str
    what: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> UndoneChange:
        """Return which change this checkpoint is of."""
        audit = checkpoint.record.audit
        return cls(checkpoint.id, audit.action, audit.profile, audit.started, audit.what)


class RollbackPlan(NamedTuple):
    """What a rollback would change, and what it would leave.

    `undoes` is the change that is rolled back. `unfinished` is one that was cut short and has to be
    ended first: then the rest is about that, and what comes after it shows only when that is done.
    `taken_along` are boot entries that were added since and have inherited the change, `left_new`
    those that keep it. `gone` files were removed since and stay away, `left` ones were changed since
    and stay as they are, `conflicts` were changed since and nobody said what to do with them.
    `settings` of the running system are put back before any file; `programs` write the boot record. `refusal` is why nothing of this will be done.
    """

    root: str
    undoes: UndoneChange | None
    unfinished: UndoneChange | None
    files: tuple[FileChange, ...]
    taken_along: tuple[FileChange, ...]
    left_new: tuple[str, ...]
    gone: tuple[str, ...]
    left: tuple[str, ...]
    conflicts: tuple[str, ...]
    boot_record: BootRecordStep
    programs: tuple[tuple[str, ...], ...]
    next_default: NextDefault | None
    settings: tuple[Setting, ...]
    refusal: Finding | None

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """All files that are to change."""
        return (*self.files, *self.taken_along)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write, to run or to end."""
        return not self.changes and not self.settings and self.unfinished is None

    @property
    def error(self) -> RefusedError | None:
        """What a command ends with when it would not be done."""
        reason = self.refusal
        if reason is None:
            return None
        return RefusedError(reason.message, location=reason.location, hint=reason.hint)

    def require_applicable(self) -> None:
        """Raise that error."""
        if self.error is not None:
            raise self.error
