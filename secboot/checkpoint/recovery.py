"""Recovery: ending a change that was cut short by a kill, a crash, or a loss of power.

It is always rolled back, never carried on: what led to it may hold no longer, and the old files
are the ones that zipl accepted. Recovery may itself be cut short anywhere, and is then repeated.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.by_hand import stuck
from secboot.checkpoint.changed_files import Conflict, FileOutcomes, Places
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import JOURNAL, State
from secboot.checkpoint.record import Checkpoint
from secboot.checkpoint.retention import prune
from secboot.checkpoint.rollback import (
    BootRecordOutcome,
    RollbackReport,
    UnfinishedChange,
    discard,
    require_ours,
    roll_back_change,
)
from secboot.checkpoint.store import Damage
from secboot.errors import SecbootError
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.system.root import split

if TYPE_CHECKING:
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.root import Root

_REASON = "it was cut short"


class RecoveryReport(NamedTuple):
    """An unfinished change that was rolled back: its checkpoint as it was found, and what was done."""

    checkpoint: Checkpoint
    rollback: RollbackReport


def recover(access: WriteAccess, conflict: Conflict = Conflict.KEEP) -> tuple[RecoveryReport, ...]:
    """Roll back what is unfinished, and remove what else a crash left.

    Every writing command calls this first. An interrupt waits until a change has been rolled
    back, then `InterruptError` is raised. Raises `StuckError` when it can't be rolled back,
    `FileError` when it was, but the journal can't be told: the next run will look again. A
    checkpoint that is damaged, or holds files that are not secboot's, is not acted upon.
    """
    if not access.lock.held:
        raise ValueError("recovery needs the lock")
    reports = []
    access.store.sweep()
    newest = access.store.newest()
    if isinstance(newest, Checkpoint) and _is_ours(access, newest):
        if newest.state.finished:
            _tidy(access, newest)
        else:
            access.interrupts.safe_point()
            reports.append(RecoveryReport(newest, _recover(access, newest, conflict)))
            with suppress(SecbootError):
                prune(access.store, access.keep)
    access.interrupts.safe_point()
    return tuple(reports)


def not_acted_upon(access: WriteAccess) -> Damage | None:
    """Return the newest checkpoint if it can't be told whether its change was finished."""
    newest = access.store.newest()
    if isinstance(newest, Checkpoint):
        try:
            require_ours(access, newest)
        except DamagedCheckpointError as error:
            return None if newest.state.finished else Damage.of(newest.id, error)
        return None
    return newest


def leaves_remains(store: CheckpointStore, root: Root) -> bool:
    """Whether there is something for `recover` to do: a change to end, or temporary files.

    A kill at the very end of a change leaves the latter.
    """
    newest = store.newest()
    if store.remains():
        return True
    if not isinstance(newest, Checkpoint):
        return False
    if not newest.state.finished or store.has_next_journal(newest.id):
        return True
    names = {name for file in newest.record.files for name in (file.prepared, file.restored)}
    directories = {split(file.path)[0] for file in newest.record.files}
    return any(names & set(root.names_or_none(directory) or ()) for directory in directories)


def _is_ours(access: WriteAccess, checkpoint: Checkpoint) -> bool:
    try:
        require_ours(access, checkpoint)
    except DamagedCheckpointError:
        return False
    return True


def _recover(access: WriteAccess, checkpoint: Checkpoint, conflict: Conflict) -> RollbackReport:
    try:
        change = UnfinishedChange(
            access, checkpoint, access.store.open_journal(checkpoint), was_cut_short=True
        )
    except FileError as error:
        raise stuck(access, checkpoint, error) from error
    try:
        with Places(access.root, checkpoint.record.files, missing_allowed=True) as places:
            if change.journal.state is State.PREPARED:
                discard(change, places, _REASON)
                report = RollbackReport(FileOutcomes(), BootRecordOutcome.UNTOUCHED)
            else:
                report = roll_back_change(change, places, _REASON, conflict)
    except FileError as error:
        raise stuck(access, checkpoint, error) from error
    else:
        _require_noted(change)
        return report
    finally:
        change.journal.close()


def _require_noted(change: UnfinishedChange) -> None:
    if not change.journal.state.finished:
        raise FileError(
            "the change was rolled back, but this can't be written down",
            path=f"{change.checkpoint.shown}/{JOURNAL}",
            hint="the files are as before; make room or repair the disk, then run secboot again",
        )


def _tidy(access: WriteAccess, checkpoint: Checkpoint) -> None:
    """Remove the temporary files of a change that is over: a kill may have left them."""
    access.store.discard_next_journal(checkpoint.id)
    with (
        suppress(FileError),
        Places(access.root, checkpoint.record.files, missing_allowed=True) as places,
    ):
        places.discard_temporaries()
