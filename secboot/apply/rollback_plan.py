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
    """The options of a rollback.

    With `force`, files that somebody changed since are also restored; with `keep` they are left. With
    `leave_new`, boot entries that were added since are left as they are.
    """

    force: bool = False
    keep: bool = False
    leave_new: bool = False

    @property
    def conflict(self) -> Conflict | None:
        """What to do with a file that was changed since; None if not specified."""
        return Conflict.OVERWRITE if self.force else Conflict.KEEP if self.keep else None


class BootRecordStep(StrEnum):
    """How the boot record is written after a rollback."""

    WRITTEN = "written"
    """secboot runs the programs that write it."""
    PENDING = "pending"
    """Somebody must run the programs before the next IPL."""
    NOT_NEEDED = "not-needed"


class UndoneChange(NamedTuple):
    """A change that is undone: its checkpoint, what it was, and when (RFC 3339, UTC).

    `what` describes it in the words of ``secboot history``.
    """

    checkpoint: str
    action: Action
    profile: str | None
    started: str
    what: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> UndoneChange:
        """Return the change of this checkpoint."""
        audit = checkpoint.record.audit
        return cls(checkpoint.id, audit.action, audit.profile, audit.started, audit.what)


class RollbackPlan(NamedTuple):
    """What a rollback would change, and what it would leave.

    `undoes` is the change that is rolled back. `unfinished` is an interrupted change that must be rolled
    back first: then everything else is about that change, and the rest is only known after it.
    `taken_along` are boot entries that were added since, have inherited the change and are reverted;
    `left_new` keep it. `gone` files, or their kernels, were removed since: they stay removed. `left` files
    were changed since and are left as they are; for `conflicts`, which were also changed since, no option
    says what to do.
    `settings` of the running system are restored before any file; `programs` write the boot record.
    `refusal` is why nothing of this will be done. `warnings` are about a guest that leaves Secure Execution.
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
    warnings: tuple[Finding, ...] = ()

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """All files that will change."""
        return (*self.files, *self.taken_along)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write, to run or to finish."""
        return not self.changes and not self.settings and self.unfinished is None

    @property
    def error(self) -> RefusedError | None:
        """The error with which the command ends if the rollback is refused."""
        reason = self.refusal
        if reason is None:
            return None
        return RefusedError(reason.message, location=reason.location, hint=reason.hint)

    def require_applicable(self) -> None:
        """Raise that error, if there is one."""
        if self.error is not None:
            raise self.error
