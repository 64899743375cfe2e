"""Recovery: ending a change that was cut short by a kill, a crash, or a loss of power.

It is always rolled back, never carried on: what led to it may hold no longer, and the old files
are the ones that zipl accepted. Recovery may itself be cut short anywhere, and is then repeated.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.changed_files import Conflict, FileOutcomes, Places
from secboot.checkpoint.journal import State
from secboot.checkpoint.rollback import (
    BootRecordOutcome,
    RollbackReport,
    UnfinishedChange,
    discard,
    roll_back_change,
    stuck,
)
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError

if TYPE_CHECKING:
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.root import Root

_REASON = "it was cut short"


class RecoveryReport(NamedTuple):
    """An unfinished change that was rolled back: its checkpoint as it was found, and what was done."""

    checkpoint: Checkpoint
    rollback: RollbackReport


def recover(
    access: WriteAccess, conflict: Conflict = Conflict.REFUSE
) -> tuple[RecoveryReport, ...]:
    """Roll back whatever is unfinished, and remove what else a crash left; the newest first.

    Every writing command calls this first. An interrupt waits until a change has been rolled
    back, then `InterruptError` is raised. Raises `StuckError` when one can't be rolled back, and
    `FileError` when it was, but the journal can't be told: the next run will look again.
    """
    if not access.lock.held:
        raise ValueError("recovery needs the lock")
    reports = []
    access.store.sweep()
    _tidy_last(access.store, access.root)
    for checkpoint in access.store.unfinished():
        access.interrupts.safe_point()
        reports.append(RecoveryReport(checkpoint, _recover(access, checkpoint, conflict)))
    access.interrupts.safe_point()
    return tuple(reports)


def _recover(access: WriteAccess, checkpoint: Checkpoint, conflict: Conflict) -> RollbackReport:
    change = UnfinishedChange(access, checkpoint, access.store.open_journal(checkpoint.id))
    try:
        with Places(access.root, checkpoint.record.files) as places:
            if change.journal.state is State.PREPARED:
                discard(change, places, _REASON)
                report = RollbackReport(FileOutcomes(), BootRecordOutcome.UNTOUCHED)
            else:
                report = roll_back_change(change, places, _REASON, conflict)
    except FileError as error:
        raise stuck(checkpoint, error) from error
    else:
        _require_noted(change)
        return report
    finally:
        change.journal.close()


def _require_noted(change: UnfinishedChange) -> None:
    if not change.journal.state.finished:
        raise FileError(
            "the change was rolled back, but this can't be written down",
            path=f"{change.checkpoint.shown}/journal",
            hint="the files are as before; make room or repair the disk, then run secboot again",
        )


def _tidy_last(store: CheckpointStore, root: Root) -> None:
    """Remove the temporary files of the newest change if it is done: a kill may have left them."""
    for number in store.ids()[-1:]:
        checkpoint = store.get(number)
        if checkpoint.state.finished:
            with suppress(FileError), Places(root, checkpoint.record.files) as places:
                places.discard_temporaries()
