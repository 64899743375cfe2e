"""Rolling a change back.

A change that fails or was interrupted is rolled back automatically (`roll_back_change`): first its
files, then the boot record, then the journal records it.

The user rolls back a finished change with ``secboot rollback [ID]``. That is a change like any other,
with a checkpoint of its own, whose new files are the old files of the checkpoint that is rolled back
(`way_back`). The content decides: every file must still be what that change made of it. So an older
change can only be rolled back if later changes did not touch its files or were rolled back before, or
by force.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.by_hand import stuck
from secboot.checkpoint.changed_files import (
    Conflict,
    FileOutcomes,
    WayBack,
    matches,
    put_back_files,
)
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import Journal, State
from secboot.checkpoint.record import Checkpoint
from secboot.checkpoint.rollback_report import (
    BootRecordOutcome,
    RollbackReport,
    state_after,
    state_in_between,
)
from secboot.checkpoint.settings import (
    Moment,
    Setting,
    SettingOutcomes,
    put_back,
    read_setting,
)
from secboot.checkpoint.undo import standing
from secboot.errors import Location, RefusedError, SecbootError
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError, NotFoundError
from secboot.system.files import FileChange
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.checkpoint.access import Access, WriteAccess
    from secboot.checkpoint.changed_files import Places
    from secboot.checkpoint.record import SavedFile
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.files import FileContent
    from secboot.system.root import Root


_WHOSE = "find out who wrote it: the record is damaged, or comes from another system"


class ChangedSinceError(RefusedError):
    """Files were changed after the change that is to be rolled back.

    `paths` are these files; `way` is how the others would be rolled back.
    """

    def __init__(self, message: str, *, paths: tuple[str, ...], way: WayBack, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.paths = paths
        self.way = way


class UnfinishedChange(NamedTuple):
    """A change with everything that rolling it back needs; whoever opened it closes it.

    `was_interrupted` says that it ended at an unknown time, and others may have used its files since.
    """

    access: WriteAccess
    checkpoint: Checkpoint
    journal: Journal
    was_interrupted: bool = False

    def saved(self, file: SavedFile) -> bytes:
        """Return the bytes of a file before the change."""
        return self.access.store.before(self.checkpoint, file)


def roll_back_change(
    change: UnfinishedChange,
    places: Places,
    reason: str,
    conflict: Conflict = Conflict.KEEP,
) -> RollbackReport:
    """Restore all files and settings; run zipl again if it may have run. `reason` goes to the journal.

    What somebody changed or removed since is left as it is, and reported. Raises `StuckError`, which
    says how to continue by hand, if a file cannot be restored or zipl fails; everything else is then as
    before. A change that was stuck before ends all the same, and what it cannot restore is reported:
    a single file must not prevent all later changes.
    """
    ledger = change.access.ledger
    ledger.expect(state_in_between(change.access))
    was_stuck = change.journal.state is State.STUCK
    files_restored = False
    # A rollback does not depend on the journal: on a full disk it works without it.
    _note(change.journal, State.ROLLING_BACK, {"reason": reason})
    try:
        before = _put_back_settings(change, Moment.LAST, despite_failure=was_stuck)
        files = put_back_files(places, change.saved, conflict, change.access.progress)
        if was_stuck or not files.failed:
            # Before zipl: even if it fails for good, no temporary files are left.
            places.discard_temporaries()
        files_restored = not files.failed
        boot_record, facts = _write_boot_record(change, files)
        files_restored = False
        if files.failed and not was_stuck:
            raise files.failed[0].error
        after = _put_back_settings(change, Moment.FIRST, despite_failure=was_stuck)
    except SecbootError as error:
        _note(change.journal, State.STUCK, {"reason": str(error)})
        raise stuck(
            change.access, change.checkpoint, error, files_restored=files_restored
        ) from error
    told: dict[str, object] = {"reason": reason, "boot_record": boot_record, "zipl": facts}
    _note(
        change.journal,
        State.ROLLED_BACK,
        told | ({"left": list(files.remaining)} if files.remaining else {}),
    )
    _discard_directories(change)
    settings = SettingOutcomes(before.restored + after.restored, before.left + after.left)
    report = RollbackReport(files, boot_record, settings)
    if report.changed_anything:
        ledger.expect(state_after(report, change.access))
    else:
        ledger.reset()
    return report


def _put_back_settings(
    change: UnfinishedChange, moment: Moment, *, despite_failure: bool
) -> SettingOutcomes:
    """Restore the settings of the running system; any other tree has none."""
    if change.access.is_setting is None:
        return SettingOutcomes()
    settings = change.checkpoint.record.settings
    return put_back(change.access.root, settings, moment, despite_failure=despite_failure)


def discard(change: UnfinishedChange, places: Places, reason: str) -> None:
    """End a change that has not replaced any file."""
    change.access.ledger.reset()
    places.discard_temporaries()
    _note(change.journal, State.ROLLED_BACK, {"reason": reason})
    _discard_directories(change)


def _discard_directories(change: UnfinishedChange) -> None:
    """Remove what was created for the files, once nothing looks for them there again."""
    if change.journal.state.finished:
        change.access.root.discard_directories(change.checkpoint.record.directories)


Merge = Callable[["SavedFile", bytes], "bytes | None"]
"""Undoes the change in a file that was edited since, given its bytes; None if it cannot."""


def way_back(
    access: Access,
    checkpoint: Checkpoint,
    conflict: Conflict | None = None,
    *,
    bring_back: bool = False,
    merge: Merge = lambda *_: None,
) -> WayBack:
    """Return the changes that roll back `checkpoint`.

    Without a `conflict` argument, `ChangedSinceError` is raised if a file is not what the change made of
    it, unless `merge` returns new content. A file that was removed since stays removed, unless
    `bring_back` is set. Raises `RefusedError` for a checkpoint whose change is not complete, and
    `DamagedCheckpointError` for a checkpoint with files that secboot does not change here.
    """
    if checkpoint.state is not State.DONE:
        raise RefusedError(
            f"checkpoint {checkpoint.id} is {checkpoint.state}: nothing to roll back"
        )
    require_ours(access, checkpoint)
    changes, gone, changed = [], [], []
    for file in checkpoint.record.files:
        found = _found(access.root, file)
        if matches(found, file.before):
            continue
        if found is None and file.after is not None and not bring_back:
            gone.append(file.path)
            continue
        if found is not None and not matches(found, file.after):
            merged = None if conflict is Conflict.OVERWRITE else merge(file, found.data)
            if merged is not None:
                changes.append(FileChange(file.named, file.path, found.data, merged))
                continue
            changed.append(file.path)
            if conflict is not Conflict.OVERWRITE:
                continue
        changes.append(_change_back(access.store, checkpoint, file, found))
    left = changed if conflict is Conflict.KEEP else []
    settings, other = _settings_back(access, checkpoint)
    way = WayBack(tuple(changes), tuple(gone), (*left, *other), settings)
    if changed and conflict is None:
        raise _changed_since(access, checkpoint, changed, way)
    return way


def _settings_back(
    access: Access, checkpoint: Checkpoint
) -> tuple[tuple[Setting, ...], tuple[str, ...]]:
    """Return the settings that undo those of a change, and those that were changed since.

    A setting that a change took back first is not set again: it was for what the change removed.
    """
    back, left = [], []
    for each in checkpoint.record.settings if access.is_setting is not None else ():
        found = read_setting(access.root, each.path)
        if each.moment is Moment.FIRST or found == each.before:
            continue
        if found == each.after:
            back.append(Setting(each.path, each.after, each.before, Moment.FIRST))
        else:
            left.append(each.path)
    return tuple(back), tuple(left)


def require_ours(access: Access, checkpoint: Checkpoint) -> None:
    """Raise DamagedCheckpointError for a record that secboot cannot have written here."""
    for file in checkpoint.record.files:
        if not access.is_ours(checkpoint, file):
            raise DamagedCheckpointError(
                f"it names {visible(file.path)}, which is not a boot file here; it is not used",
                location=Location(visible(f"{checkpoint.shown}/record.json")),
                hint=_WHOSE,
            )
    for each in checkpoint.record.settings if access.is_setting is not None else ():
        if access.is_setting is not None and not access.is_setting(each.path):
            raise DamagedCheckpointError(
                f"it names {visible(each.path)}, which is not a setting that secboot writes; it is"
                " not used",
                location=Location(visible(f"{checkpoint.shown}/record.json")),
                hint=_WHOSE,
            )


def _found(root: Root, file: SavedFile) -> FileContent | None:
    try:
        return root.read_direct(file.path)
    except NotFoundError:
        return None


def _change_back(
    store: CheckpointStore, checkpoint: Checkpoint, file: SavedFile, found: FileContent | None
) -> FileChange:
    return FileChange(
        path=file.named,
        real_path=file.path,
        before=None if found is None else found.data,
        after=None if file.before is None else store.before(checkpoint, file),
        attributes=None if file.before is None else file.before.attributes,
    )


def _changed_since(
    access: Access, checkpoint: Checkpoint, changed: Sequence[str], way: WayBack
) -> ChangedSinceError:
    later = [
        found.id
        for found in standing(access.store.newest_first())
        if isinstance(found, Checkpoint)
        and int(found.id) > int(checkpoint.id)
        # The rollback of a later change only restored what this one left.
        and int(found.record.audit.undoes or 0) <= int(checkpoint.id)
        and any(file.path in changed for file in found.record.files)
    ]
    command = access.invocation.command
    here = ("rollback", checkpoint.id)
    one = len(changed) == 1
    them, these, files = ("it", "this", "file") if one else ("them", "these", "files")
    if later:
        undo = command("rollback", later[0])
        hint = f"checkpoint {later[0]} changed {them}; undo that first: {undo}"
    else:
        hint = (
            f"review the change: {command('history', checkpoint.id)}\n"
            f"keep {these} {files} and roll back the others: {command(*here, '--keep')}\n"
            f"overwrite {them} with the saved {files}: {command(*here, '--force')}"
        )
    return ChangedSinceError(
        f"changed since checkpoint {checkpoint.id}: {_shown(changed)}",
        paths=tuple(changed),
        way=way,
        hint=hint,
    )


def _write_boot_record(
    change: UnfinishedChange, files: FileOutcomes
) -> tuple[BootRecordOutcome, Mapping[str, object]]:
    access = change.access
    # Somebody may have run zipl on its files since it was interrupted.
    put_back = change.was_interrupted and bool(files.restored or files.removed)
    if not (change.journal.has_committed or (put_back and access.commit is not None)):
        return BootRecordOutcome.UNTOUCHED, {}
    if access.commit is None:
        return BootRecordOutcome.PENDING, {}
    try:
        return BootRecordOutcome.WRITTEN, access.commit(access.lock.inherited)
    except SecbootError:
        if not change.checkpoint.record.audit.problems:
            raise
        # The old files had a problem before the change, which repaired it.
        return BootRecordOutcome.KEPT, {}


def _note(journal: Journal, state: State, facts: Mapping[str, object]) -> None:
    with suppress(FileError):
        journal.append(state, facts)


def _shown(paths: Sequence[str]) -> str:
    return ", ".join(map(visible, paths))
