"""The checkpoints of a root: creating, listing, reading and dropping them.

A checkpoint is a directory ``checkpoints/N`` in the state directory, readable only by its owner:

======================  ==========================================================================
``record.json``         who, when, why, and each file before and after (`Record`)
``journal``             how far the change has progressed (`Journal`)
``before.tar``          the files before the change, as far as they existed
``after.tar``           the files after the change, to show what was changed
======================  ==========================================================================

N counts up from 1, independent of the clock. A checkpoint is built under a temporary name and appears
with one rename, when everything that a rollback needs is on the disk. ``after.tar`` is not synced to the
disk, because nothing depends on it.

There are archives because many single files would each need a sync (`secboot.checkpoint.archive`).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from secboot.checkpoint.archive import Member, members, pack, unpack
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import (
    JOURNAL,
    NEXT_JOURNAL,
    Journal,
    State,
    format_journal,
    parse_first_journal,
    parse_journal,
    state_of,
)
from secboot.checkpoint.record import Checkpoint, Record, is_first, is_id
from secboot.checkpoint.state_directory import CHECKPOINTS
from secboot.digest import digest
from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError, NotFoundError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.checkpoint.journal import JournalEntry
    from secboot.checkpoint.record import SavedFile
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.errors import SecbootError
    from secboot.system.directory import OpenDirectory
    from secboot.system.files import FileChange
    from secboot.system.root import Root

BEFORE = "before.tar"
"""The archive that a rollback needs."""
_AFTER = "after.tar"
_BUILT = ".new-"
_DROPPED = ".old-"
_RECORD = "record.json"


ARCHIVE_LIMIT = 2**30
"""In bytes: far more than ten thousand boot entries need."""


class NoCheckpointError(RefusedError):
    """No checkpoint has that ID."""


DAMAGED = "damaged-checkpoint"
"""The code of a finding about a damaged checkpoint."""


class Damage(NamedTuple):
    """A checkpoint that cannot be read: its ID, and what is wrong with which of its files."""

    id: str
    finding: Finding

    @classmethod
    def of(cls, checkpoint: str, error: SecbootError) -> Damage:
        """Return the damage for an `error` that occurred when the checkpoint was read."""
        message = f"checkpoint {checkpoint} cannot be read: {error.message}"
        finding = Finding(DAMAGED, Severity.WARNING, message, error.location, error.hint)
        return cls(checkpoint, finding)


class Listing(NamedTuple):
    """The readable checkpoints, oldest first, and those that cannot be read."""

    checkpoints: tuple[Checkpoint, ...]
    damaged: tuple[Damage, ...]


class CheckpointStore:
    """The checkpoints in a state directory. Reading needs no lock and writes nothing."""

    def __init__(self, state: Root) -> None:
        self._state = state
        self._unpacked: tuple[tuple[str, str], dict[str, bytes]] | None = None

    @classmethod
    def existing(cls, directory: StateDirectory) -> CheckpointStore | None:
        """Return the store for reading; None if secboot never wrote here."""
        state = directory.open()
        return None if state is None else cls(state)

    def close(self) -> None:
        """Close the state directory."""
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shown(self, checkpoint: str) -> str:
        """Return the path of a checkpoint's directory as the user sees it."""
        return self._state.shown(f"{CHECKPOINTS}/{checkpoint}")

    def ids(self) -> tuple[str, ...]:
        """Return the IDs of all checkpoints, oldest first."""
        return tuple(str(number) for number in sorted(map(int, filter(is_id, self._names()))))

    def listing(self) -> Listing:
        """Return all checkpoints; a damaged one does not affect the others."""
        whole, damaged = [], []
        for number in self.ids():
            try:
                whole.append(self.get(number))
            except (FileError, DamagedCheckpointError) as error:
                damaged.append(Damage.of(number, error))
        return Listing(tuple(whole), tuple(damaged))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that can be read, oldest first."""
        return self.listing().checkpoints

    def newest_first(self) -> Iterator[Checkpoint | Damage]:
        """Yield the checkpoints whose change is not rolled back; each is read when it is needed."""
        for number in reversed(self.ids()):
            try:
                if state_of(self.journal(number)) is not State.ROLLED_BACK:
                    yield self.get(number)
            except (FileError, DamagedCheckpointError) as error:
                yield Damage.of(number, error)

    def get(self, checkpoint: str) -> Checkpoint:
        """Return the checkpoint with that ID; `NoCheckpointError` if there is none.

        Raises `DamagedCheckpointError` for one that is damaged, or that another version wrote.
        """
        if not is_id(checkpoint):
            raise _no_checkpoint(checkpoint, self.ids())
        name, data = _RECORD, self._read(checkpoint, _RECORD)
        try:
            record = Record.from_json(data, checkpoint)
            name = JOURNAL
            entries = _entries(self._read(checkpoint, name), checkpoint, first=is_first(data))
        except DamagedCheckpointError as error:
            raise self._damaged(checkpoint, name, error.message) from error
        found = Checkpoint(record, entries, self.shown(checkpoint))
        if is_first(data) and found.state is not State.ROLLED_BACK:
            self._require_borne_out(found)
        return found

    def _require_borne_out(self, found: Checkpoint) -> None:
        """Raise DamagedCheckpointError if the other files of the checkpoint contradict the record."""
        from secboot.checkpoint.first_record import (  # noqa: PLC0415 - only for secboot 0.1.0
            is_borne_out,
            is_undone_by,
        )

        before, after = (self._archive_bytes(found.id, name) for name in (BEFORE, _AFTER))
        undone = found.record.audit.undoes
        is_right = before is not None and is_borne_out(found.record, before, after)
        if is_right and undone is not None and self._state.exists(_path(undone)):
            with suppress(FileError, DamagedCheckpointError):
                is_right = is_undone_by(self.get(undone).record, found.record)
        if not is_right:
            message = "it has no checksum, and the other files of the checkpoint contradict it"
            raise self._damaged(found.id, _RECORD, message)

    def _archive_bytes(self, checkpoint: str, name: str) -> bytes | None:
        """Return the bytes of an archive; None if it cannot be read."""
        try:
            return self._state.read_bytes(_path(checkpoint, name), ARCHIVE_LIMIT)
        except FileError:
            return None

    def before(self, checkpoint: Checkpoint, file: SavedFile) -> bytes:
        """Return the saved bytes of a file that existed before the change, checked by their digest."""
        if file.before is None:
            raise ValueError(file.path)
        data = self._archive(checkpoint, BEFORE).get(file.path)
        if data is None or digest(data) != file.before.digest:
            raise self._damaged(
                checkpoint.id, BEFORE, f"its copy of {file.path} is not what was saved"
            )
        return data

    def after(self, checkpoint: Checkpoint, file: SavedFile) -> bytes | None:
        """Return the bytes of a file after the change; None if they were not kept, or there was no file."""
        try:
            data = self._archive(checkpoint, _AFTER).get(file.path)
        except FileError:
            return None
        if data is None or file.after is None or digest(data) != file.after.digest:
            return None
        return data

    def holds_what_it_says(self, checkpoint: Checkpoint) -> bool:
        """Whether the archive of old files contains exactly these, as they were, and nothing else."""
        data = self._archive_bytes(checkpoint.id, BEFORE)
        found = None if data is None else members(data)
        saved = [file for file in checkpoint.record.files if file.before is not None]
        return found is not None and [(member.path, digest(member.data)) for member in found] == [
            (file.path, file.before and file.before.digest) for file in saved
        ]

    def _archive(self, checkpoint: Checkpoint, name: str) -> dict[str, bytes]:
        """Return the files of an archive by path; it is read once for all of them."""
        key = (checkpoint.id, name)
        if self._unpacked is None or self._unpacked[0] != key:
            data = self._state.read_bytes(_path(checkpoint.id, name), ARCHIVE_LIMIT)
            self._unpacked = (key, unpack(data))
        return self._unpacked[1]

    def next_id(self) -> str:
        """Return the ID of the next checkpoint; the lock is held until that is created."""
        return str(int(max(self.ids(), key=int, default="0")) + 1)

    def create(self, record: Record, changes: Sequence[FileChange]) -> None:
        """Create a checkpoint; it and what it saves are on the disk when this returns."""
        building = f"{_BUILT}{os.urandom(8).hex()}"
        with self._state.open_directory(CHECKPOINTS) as parent:
            try:
                parent.make(building, 0o700)
                with self._state.open_directory(_path(building)) as directory:
                    _fill(directory, record, changes)
                    directory.sync()
                parent.rename_directory(building, record.checkpoint)
                parent.sync()
            except BaseException:
                self._drop(building)
                raise

    def open_journal(self, checkpoint: Checkpoint) -> Journal:
        """Return the journal of a checkpoint for writing; the lock is held meanwhile."""
        directory = self._state.open_directory(_path(checkpoint.id))
        return Journal(directory, checkpoint.id, checkpoint.journal)

    def has_next_journal(self, checkpoint: str) -> bool:
        """Whether a crash left a journal that was about to replace the current one."""
        return self._state.exists(_path(checkpoint, NEXT_JOURNAL))

    def discard_next_journal(self, checkpoint: str) -> None:
        """Remove a journal that a crash left; the lock is held."""
        with self._state.open_directory(_path(checkpoint)) as directory:
            directory.discard(NEXT_JOURNAL)

    def unfinished(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoint whose change is neither complete nor rolled back, if there is one.

        It can only be the newest one, because no change begins before the previous one has ended. An
        older journal that claims to be unfinished is damaged, and is ignored.
        """
        newest = self.newest()
        whole = isinstance(newest, Checkpoint) and not newest.state.finished
        return (newest,) if whole and isinstance(newest, Checkpoint) else ()

    def newest(self) -> Checkpoint | Damage | None:
        """Return the newest checkpoint; None if there is none."""
        ids = self.ids()
        if not ids:
            return None
        try:
            return self.get(ids[-1])
        except (FileError, DamagedCheckpointError) as error:
            return Damage.of(ids[-1], error)

    def sweep(self) -> None:
        """Remove partly created and partly dropped checkpoints; the lock is held."""
        for name in self.remains():
            self._drop(name)

    def remains(self) -> tuple[str, ...]:
        """Return what a crash left of checkpoints that were being created or dropped."""
        return tuple(name for name in self._names() if name.startswith((_BUILT, _DROPPED)))

    def retire(self, checkpoint: str) -> None:
        """Drop a checkpoint with one rename; `sweep` removes the rest. The lock is held."""
        with self._state.open_directory(CHECKPOINTS) as parent:
            parent.rename_directory(checkpoint, f"{_DROPPED}{os.urandom(8).hex()}")

    def strip(self, checkpoint: str) -> None:
        """Remove the copies of files of a checkpoint, and keep its record. The lock is held."""
        with self._state.open_directory(_path(checkpoint)) as directory:
            for name in (BEFORE, _AFTER, NEXT_JOURNAL):
                directory.discard(name)

    def _drop(self, name: str) -> None:
        path = _path(name)
        if not self._state.exists(path):
            return
        with self._state.open_directory(path) as directory:
            for inner in self._state.list_directory(path):
                directory.discard(inner)
        with self._state.open_directory(CHECKPOINTS) as parent:
            parent.discard_directory(name)

    def _names(self) -> tuple[str, ...]:
        try:
            return self._state.list_directory(CHECKPOINTS)
        except NotFoundError:
            return ()

    def journal(self, checkpoint: str) -> tuple[JournalEntry, ...]:
        """Return the journal of a checkpoint; the record is only read if the journal alone is not enough."""
        try:
            return parse_journal(self._read(checkpoint, JOURNAL), checkpoint)
        except DamagedCheckpointError:
            return self.get(checkpoint).journal

    def _read(self, checkpoint: str, name: str) -> bytes:
        try:
            return self._state.read_bytes(_path(checkpoint, name))
        except NotFoundError:
            if self._state.exists(_path(checkpoint)):
                raise self._damaged(checkpoint, name, "it is missing") from None
            raise _no_checkpoint(checkpoint, self.ids()) from None

    def _damaged(self, checkpoint: str, name: str, message: str) -> DamagedCheckpointError:
        """Return the error that names the damaged file, and where the saved files are."""
        place = self.shown(checkpoint)
        return DamagedCheckpointError(
            message,
            location=Location(visible(f"{place}/{name}")),
            hint=f"it is left as it is; the saved files are in {visible(f'{place}/{BEFORE}')}",
        )


def _entries(data: bytes, checkpoint: str, *, first: bool) -> tuple[JournalEntry, ...]:
    """Return the entries of a journal; `first` says that secboot 0.1.0 made the checkpoint."""
    if first:
        with suppress(DamagedCheckpointError):
            return parse_journal(data, checkpoint)
        return parse_first_journal(data, checkpoint)
    return parse_journal(data, checkpoint)


def _fill(directory: OpenDirectory, record: Record, changes: Sequence[FileChange]) -> None:
    before, after = [], []
    for file, change in zip(record.files, changes, strict=True):
        if change.before is not None and file.before is not None:
            before.append(Member(file.path, change.before, file.before.attributes))
        if change.after is not None and file.after is not None:
            after.append(Member(file.path, change.after, file.after.attributes))
    now = int(time.time())
    directory.create(BEFORE, pack(before, now), sync=True)
    directory.create(_AFTER, pack(after, now))
    directory.create(JOURNAL, [format_journal((), record.checkpoint)], sync=True)
    directory.create(_RECORD, [record.to_json()], sync=True)


def _path(checkpoint: str, name: str = "") -> str:
    path = f"{CHECKPOINTS}/{checkpoint}"
    return f"{path}/{name}" if name else path


def _no_checkpoint(checkpoint: str, ids: Sequence[str]) -> NoCheckpointError:
    return NoCheckpointError(
        f"checkpoint '{visible(checkpoint)}' not found",
        hint=f"available: {', '.join(ids)}" if ids else "there are no checkpoints yet",
    )
