"""Rolling a change back: its files, then the boot record, then the journal says so."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.checkpoint.journal import Journal, State
from secboot.checkpoint.store import BEFORE
from secboot.checkpoint.undo import Conflict, UndoReport, undo_files
from secboot.errors import SecbootError, StuckError
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.place import Places
    from secboot.checkpoint.record import FileVersion
    from secboot.checkpoint.store import Checkpoint


class BootRecord(StrEnum):
    """What a rollback made of the boot record."""

    UNTOUCHED = "untouched"
    """zipl had not been run since the files were changed."""
    WRITTEN = "written"
    """zipl was run again, on the old files."""
    PENDING = "pending"
    """zipl may have been run on the new files, and there was no way to run it again here."""


class RollbackReport(NamedTuple):
    """What rolling a change back did."""

    files: UndoReport
    boot_record: BootRecord

    @property
    def changed_anything(self) -> bool:
        """Whether there was anything to put back."""
        return bool(
            self.files.restored
            or self.files.removed
            or self.files.conflicts
            or self.boot_record is not BootRecord.UNTOUCHED
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A change with all that is needed to roll it back; whoever opened it closes it."""

    access: WriteAccess
    checkpoint: Checkpoint
    journal: Journal

    def saved(self, index: int) -> bytes:
        """The bytes of file `index` before the change."""
        return self.access.store.before(self.checkpoint, index)


def roll_back(
    change: Change, places: Places, reason: str, conflict: Conflict = Conflict.REFUSE
) -> RollbackReport:
    """Put back all files; run zipl again if it may have run. `reason` goes to the journal.

    Raises `StuckError`, which says how to go on by hand, when something can't be put back.
    """
    # The journal is not what going back depends on: on a full disk it goes back without.
    _note(change.journal, State.ROLLING_BACK, {"reason": reason})
    try:
        files = undo_files(places, change.saved, conflict, change.access.progress)
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


def discard(change: Change, places: Places, reason: str) -> None:
    """End a change that has not replaced any file yet."""
    places.discard_temporaries()
    _note(change.journal, State.ROLLED_BACK, {"reason": reason})


def stuck(checkpoint: Checkpoint, error: SecbootError) -> StuckError:
    """The error for a change that can't be rolled back because of `error`."""
    return StuckError(
        f"going back to the state before failed: {error}",
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


def _write_boot_record(change: Change) -> tuple[BootRecord, Mapping[str, object]]:
    if not change.journal.has_committed:
        return BootRecord.UNTOUCHED, {}
    access = change.access
    if access.commit is None:
        return BootRecord.PENDING, {}
    return BootRecord.WRITTEN, access.commit(access.lock.inherited)


def _conflict(change: Change, files: UndoReport) -> StuckError:
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
