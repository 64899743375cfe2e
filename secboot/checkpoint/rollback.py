"""Rolling a change back.

A change that fails, or was cut short, is rolled back by itself (`roll_back_change`): its files,
then the boot record, then the journal says so.

A finished change is rolled back by the user, ``secboot rollback [ID]``. That is a change like any
other, with a checkpoint of its own, whose new files are the old ones of the checkpoint that is
rolled back (`changes_to_roll_back`). What decides is the content: every file must still be what
that change made of it. So an older change can be rolled back only when the later ones did not touch
its files or were rolled back before, or by force.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.checkpoint.changed_files import Conflict, FileOutcomes, matches, put_back_files
from secboot.checkpoint.journal import Journal, State
from secboot.checkpoint.record import Action
from secboot.checkpoint.store import BEFORE
from secboot.errors import RefusedError, SecbootError, StuckError
from secboot.named_tuple import NamedTuple
from secboot.system.files import FileChange
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.changed_files import Places
    from secboot.checkpoint.record import Checkpoint, FileVersion
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.root import Root


class BootRecordOutcome(StrEnum):
    """What a rollback made of the boot record."""

    UNTOUCHED = "untouched"
    """zipl had not been run since the files were changed."""
    WRITTEN = "written"
    """zipl was run again, on the old files."""
    PENDING = "pending"
    """zipl may have been run on the new files, and there was no way to run it again here."""


class ChangedSinceError(RefusedError):
    """Files were changed after the change that is to be rolled back. `paths` says which."""

    def __init__(self, message: str, *, paths: tuple[str, ...], hint: str) -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


class RollbackReport(NamedTuple):
    """What rolling a change back did."""

    files: FileOutcomes
    boot_record: BootRecordOutcome

    @property
    def changed_anything(self) -> bool:
        """Whether there was anything to put back."""
        return bool(
            self.files.restored
            or self.files.removed
            or self.files.conflicts
            or self.boot_record is not BootRecordOutcome.UNTOUCHED
        )


class UnfinishedChange(NamedTuple):
    """A change with all that is needed to roll it back; whoever opened it closes it."""

    access: WriteAccess
    checkpoint: Checkpoint
    journal: Journal

    def saved(self, index: int) -> bytes:
        """The bytes of file `index` before the change."""
        return self.access.store.before(self.checkpoint, index)


def roll_back_change(
    change: UnfinishedChange, places: Places, reason: str, conflict: Conflict = Conflict.REFUSE
) -> RollbackReport:
    """Put back all files; run zipl again if it may have run. `reason` goes to the journal.

    Raises `StuckError`, which says how to go on by hand, when something can't be put back.
    """
    # A rollback does not depend on the journal: on a full disk it does without.
    _note(change.journal, State.ROLLING_BACK, {"reason": reason})
    try:
        files = put_back_files(places, change.saved, conflict, change.access.progress)
        if files.conflicts and conflict is Conflict.REFUSE:
            raise _conflict(change, files)
        with suppress(SecbootError):
            # Before zipl: if it fails for good, nothing of ours is left lying beside the files.
            places.discard_temporaries()
        boot_record, facts = _write_boot_record(change)
    except SecbootError as error:
        _note(change.journal, State.STUCK, {"reason": str(error)})
        if isinstance(error, StuckError):
            raise
        raise stuck(change.checkpoint, error) from error
    places.discard_temporaries()
    _note(
        change.journal,
        State.ROLLED_BACK,
        {"reason": reason, "boot_record": boot_record, "zipl": facts},
    )
    return RollbackReport(files, boot_record)


def discard(change: UnfinishedChange, places: Places, reason: str) -> None:
    """End a change that has not replaced any file yet."""
    places.discard_temporaries()
    _note(change.journal, State.ROLLED_BACK, {"reason": reason})


def latest_to_roll_back(store: CheckpointStore) -> Checkpoint | None:
    """What ``rollback`` without an id means: the newest apply that is done and not rolled back."""
    done = [found for found in store.checkpoints() if found.state is State.DONE]
    rolled_back = {found.record.audit.undoes for found in done}
    candidates = (
        found
        for found in reversed(done)
        if found.record.audit.action is Action.APPLY and found.id not in rolled_back
    )
    return next(candidates, None)


def changes_to_roll_back(
    store: CheckpointStore, root: Root, checkpoint: Checkpoint, *, force: bool = False
) -> tuple[FileChange, ...]:
    """The changes that roll back `checkpoint`; empty when all files are as before it already.

    Raises `ChangedSinceError` when a file is not what the change made of it, unless `force`d,
    and `RefusedError` for a checkpoint whose change was not done.
    """
    if checkpoint.state is not State.DONE:
        raise RefusedError(
            f"checkpoint {checkpoint.id} is {checkpoint.state}: it has nothing to roll back"
        )
    changes, changed = [], []
    for index, file in enumerate(checkpoint.record.files):
        found = root.read_direct(file.path)
        if matches(found, file.before):
            continue
        if not matches(found, file.after):
            changed.append(file.path)
        changes.append(
            FileChange(
                path=file.named,
                real_path=file.path,
                before=None if found is None else found.data,
                after=None if file.before is None else store.before(checkpoint, index),
                attributes=None if file.before is None else file.before.attributes,
            )
        )
    if changed and not force:
        raise _changed_since(store, checkpoint, changed)
    return tuple(changes)


def _changed_since(
    store: CheckpointStore, checkpoint: Checkpoint, changed: Sequence[str]
) -> ChangedSinceError:
    later = [
        found.id
        for found in store.checkpoints()
        if int(found.id) > int(checkpoint.id)
        and found.state is State.DONE
        and any(file.path in changed for file in found.record.files)
    ]
    paths = ", ".join(map(visible, changed))
    if later:
        hint = f"checkpoint {later[-1]} changed them: roll that back first, or use --force"
    else:
        hint = "look at them first; --force puts the old content in their place"
    return ChangedSinceError(
        f"changed since checkpoint {checkpoint.id}: {paths}", paths=tuple(changed), hint=hint
    )


def stuck(checkpoint: Checkpoint, error: SecbootError) -> StuckError:
    """The error for a change that can't be rolled back because of `error`."""
    return StuckError(
        f"the rollback failed: {error}",
        hint="\n".join(
            [
                *([error.hint] if error.hint else []),
                f"the old files are in {visible(checkpoint.shown)};",
                "the next writing command of secboot tries again, or restore by hand:",
                *(f"  {command}" for command in commands_by_hand(checkpoint)),
            ]
        ),
    )


def commands_by_hand(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The shell commands that put back what the checkpoint saved; zipl last if it is this machine."""
    root, files = checkpoint.record.root.rstrip("/"), checkpoint.record.files
    saved = _shell_word(f"{checkpoint.shown}/{BEFORE}")
    unpack = f"tar -xpf {saved} -C {_shell_word(root or '/')}"
    labelled = [_shell_word(root + file.path) for file in files if _has_label(file.before)]
    added = [_shell_word(root + file.path) for file in files if file.before is None]
    return (
        *([unpack] if len(added) < len(files) else []),
        *([f"restorecon {' '.join(labelled)}"] if labelled else []),
        *([f"rm -f {' '.join(added)}"] if added else []),
        *([] if root else ["zipl"]),
    )


def _has_label(version: FileVersion | None) -> bool:
    return version is not None and any(
        name == "security.selinux" for name, _ in version.attributes.xattrs
    )


def _shell_word(path: str) -> str:
    if path.isprintable():
        return shlex.quote(path)
    # $'...' of bash, ksh and POSIX.1-2024.
    data = path.encode("utf-8", "surrogateescape")
    return "$'" + "".join(f"\\{byte:03o}" for byte in data) + "'"


def _write_boot_record(change: UnfinishedChange) -> tuple[BootRecordOutcome, Mapping[str, object]]:
    if not change.journal.has_committed:
        return BootRecordOutcome.UNTOUCHED, {}
    access = change.access
    if access.commit is None:
        return BootRecordOutcome.PENDING, {}
    return BootRecordOutcome.WRITTEN, access.commit(access.lock.inherited)


def _conflict(change: UnfinishedChange, files: FileOutcomes) -> StuckError:
    number = change.checkpoint.id
    paths = ", ".join(visible(path) for path in files.conflicts)
    return StuckError(
        f"somebody changed files after secboot had, so they were left as they are: {paths}",
        hint=f"compare them with the old ones in {visible(change.checkpoint.shown)}; then\n"
        f"  secboot rollback {number} --force   puts the old files in their place\n"
        f"  secboot rollback {number} --keep    leaves them, and ends this change",
    )


def _note(journal: Journal, state: State, facts: Mapping[str, object]) -> None:
    with suppress(OSError):
        journal.append(state, facts)
