"""Recovery: rolling back a change that was interrupted by a kill, a crash, or a power loss.

An interrupted change is always rolled back, never continued: its reasons may no longer be valid, and the
old files are the ones that zipl accepted. Recovery itself may be interrupted anywhere, and is then
repeated.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.by_hand import stuck
from secboot.checkpoint.changed_files import (
    Conflict,
    FileOutcomes,
    Places,
    WayBack,
    would_put_back,
)
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import JOURNAL, State
from secboot.checkpoint.record import Checkpoint
from secboot.checkpoint.retention import prune
from secboot.checkpoint.rollback import (
    UnfinishedChange,
    discard,
    require_ours,
    roll_back_change,
)
from secboot.checkpoint.rollback_report import (
    BootRecordOutcome,
    RollbackReport,
    state_after,
    state_after_recovery,
)
from secboot.checkpoint.settings import Moment, boot_of, read_setting
from secboot.checkpoint.store import Damage
from secboot.errors import SecbootError
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.system.root import split

if TYPE_CHECKING:
    from secboot.checkpoint.access import Access, WriteAccess
    from secboot.checkpoint.settings import Setting
    from secboot.checkpoint.store import CheckpointStore
    from secboot.errors import MachineState
    from secboot.system.root import Root

_REASON = "secboot was killed, or the machine went down"


class RecoveryReport(NamedTuple):
    """An interrupted change that was rolled back: its checkpoint as it was found, and what was done.

    `state` is the state of the machine afterwards.
    """

    checkpoint: Checkpoint
    rollback: RollbackReport
    state: MachineState


def recover(access: WriteAccess, conflict: Conflict = Conflict.KEEP) -> tuple[RecoveryReport, ...]:
    """Roll back an interrupted change, and remove whatever else a crash left.

    Every writing command calls this first. A signal waits until a change has been rolled back, then
    `InterruptError` is raised. Raises `StuckError` if the change cannot be rolled back, and `FileError`
    if it was, but this cannot be recorded: the next run will check again. A checkpoint that is damaged,
    or that names files that secboot does not change, is not acted upon.
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
            done = _recover(access, newest, conflict)
            reports.append(RecoveryReport(newest, done, state_after(done, access)))
            with suppress(SecbootError):
                prune(access.store, access.keep)
    access.interrupts.safe_point()
    return tuple(reports)


class Unfinished(NamedTuple):
    """A change that the next writing command rolls back, and how; `commits` is whether zipl will run."""

    checkpoint: Checkpoint
    way: WayBack
    commits: bool


def unfinished_change(access: Access, conflict: Conflict = Conflict.KEEP) -> Unfinished | None:
    """Return what `recover` would roll back now; None if nothing. Nothing is written."""
    newest = access.store.newest()
    if not isinstance(newest, Checkpoint) or newest.state.finished or not _is_ours(access, newest):
        return None
    if newest.state is State.PREPARED:
        return Unfinished(newest, WayBack((), (), ()), commits=False)
    with Places(access.root, newest.record.files, missing_allowed=True) as places:
        way = would_put_back(places, lambda file: access.store.before(newest, file), conflict)
    way = way._replace(settings=_settings_back(access, newest))
    committed = any(entry.state is State.COMMITTING for entry in newest.journal)
    return Unfinished(newest, way, commits=committed or bool(way.changes))


def _settings_back(access: Access, checkpoint: Checkpoint) -> tuple[Setting, ...]:
    """Return the settings that still have the value that the change wrote, as `put_back` sets them."""
    if access.is_setting is None or not checkpoint.record.settings:
        return ()
    boot = boot_of(access.root)
    return tuple(
        each._replace(before=each.after, after=each.before)
        for each in checkpoint.record.settings
        if (each.moment is Moment.LAST or each.boot == boot)
        and read_setting(access.root, each.path) == each.after
    )


def not_acted_upon(access: Access) -> Damage | None:
    """Return the newest checkpoint if it is unknown whether its change was finished."""
    newest = access.store.newest()
    if isinstance(newest, Checkpoint):
        try:
            require_ours(access, newest)
        except DamagedCheckpointError as error:
            return None if newest.state.finished else Damage.of(newest.id, error)
        return None
    return newest


def leaves_remains(store: CheckpointStore, root: Root) -> bool:
    """Whether there is something for `recover` to do: an interrupted change, or temporary files.

    A kill at the very end of a change leaves temporary files.
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


def _is_ours(access: Access, checkpoint: Checkpoint) -> bool:
    try:
        require_ours(access, checkpoint)
    except DamagedCheckpointError:
        return False
    return True


def _recover(access: WriteAccess, checkpoint: Checkpoint, conflict: Conflict) -> RollbackReport:
    try:
        change = UnfinishedChange(
            access, checkpoint, access.store.open_journal(checkpoint), was_interrupted=True
        )
    except FileError as error:
        if checkpoint.state is State.PREPARED:
            # No file had been replaced, so there is nothing to roll back.
            raise
        raise stuck(access, checkpoint, error) from error
    try:
        with Places(access.root, checkpoint.record.files, missing_allowed=True) as places:
            if change.journal.state is State.PREPARED:
                discard(change, places, _REASON)
                report = RollbackReport(FileOutcomes(), BootRecordOutcome.UNTOUCHED)
            else:
                report = roll_back_change(change, places, _REASON, conflict)
    except FileError as error:
        if checkpoint.state is State.PREPARED:
            raise
        raise stuck(access, checkpoint, error) from error
    else:
        if report.changed_anything:
            state = state_after(report, access)
            access.ledger.settle(state_after_recovery(checkpoint, state))
        _require_noted(change)
        return report
    finally:
        change.journal.close()


def _require_noted(change: UnfinishedChange) -> None:
    if not change.journal.state.finished:
        raise FileError(
            "an interrupted change was rolled back, but this cannot be recorded",
            path=f"{change.checkpoint.shown}/{JOURNAL}",
            hint="make room or repair the disk, then run secboot again",
        )


def _tidy(access: WriteAccess, checkpoint: Checkpoint) -> None:
    """Remove the temporary files of a finished change; a kill may have left them."""
    access.store.discard_next_journal(checkpoint.id)
    with (
        suppress(FileError),
        Places(access.root, checkpoint.record.files, missing_allowed=True) as places,
    ):
        places.discard_temporaries()
