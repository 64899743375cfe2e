"""The checkpoints of a root: made, listed, read, and in the end dropped.

A checkpoint is a directory ``checkpoints/N`` in the state directory, readable by its owner alone:

======================  ==========================================================================
``record.json``         who, when, why, and each file before and after (`Record`)
``journal``             how far the change has come (`Journal`)
``before.tar``          the files as they were before the change, those that there were
``after.tar``           the files after the change; for showing what was changed
======================  ==========================================================================

N counts up from 1, whatever the clock does. A checkpoint is built under another name and appears
by one rename, when all that a rollback needs is on the disk. ``after.tar`` is not brought to
the disk, because nothing depends on it.

Many single files would each have to be brought to the disk by itself (`secboot.checkpoint.archive`).
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
"""Bytes: far more than ten thousand boot entries take."""


class NoCheckpointError(RefusedError):
    """There is no checkpoint of that id."""


DAMAGED = "damaged-checkpoint"
"""The code of a finding about one."""


class Damage(NamedTuple):
    """A checkpoint that can't be read: its id, and what is wrong with which of its files."""

    id: str
    finding: Finding

    @classmethod
    def of(cls, checkpoint: str, error: SecbootError) -> Damage:
        """Return what to say of `error`, which reading the checkpoint led to."""
        message = f"checkpoint {checkpoint} can't be read: {error.message}"
        finding = Finding(DAMAGED, Severity.WARNING, message, error.location, error.hint)
        return cls(checkpoint, finding)


class Listing(NamedTuple):
    """All checkpoints, the oldest first, and those that can't be read."""

    checkpoints: tuple[Checkpoint, ...]
    damaged: tuple[Damage, ...]


class CheckpointStore:
    """The checkpoints in a state directory. Reading needs no lock and writes nothing."""

    def __init__(self, state: Root) -> None:
        self._state = state
        self._unpacked: tuple[tuple[str, str], dict[str, bytes]] | None = None

    @classmethod
    def existing(cls, directory: StateDirectory) -> CheckpointStore | None:
        """The store for reading; None when secboot never wrote here."""
        state = directory.open()
        return None if state is None else cls(state)

    def close(self) -> None:
        """Let go of the state directory."""
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shown(self, checkpoint: str) -> str:
        """The path of a checkpoint's directory as the user sees it."""
        return self._state.shown(f"{CHECKPOINTS}/{checkpoint}")

    def ids(self) -> tuple[str, ...]:
        """The ids of all checkpoints, the oldest first."""
        return tuple(str(number) for number in sorted(map(int, filter(is_id, self._names()))))

    def listing(self) -> Listing:
        """All checkpoints, each apart: what is wrong with one is no hindrance to the others."""
        whole, damaged = [], []
        for number in self.ids():
            try:
                whole.append(self.get(number))
            except (FileError, DamagedCheckpointError) as error:
                damaged.append(Damage.of(number, error))
        return Listing(tuple(whole), tuple(damaged))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that can be read, the oldest first."""
        return self.listing().checkpoints

    def newest_first(self) -> Iterator[Checkpoint | Damage]:
        """The checkpoints whose change is not rolled back, read one by one as they are asked for."""
        for number in reversed(self.ids()):
            try:
                if state_of(self.journal(number)) is not State.ROLLED_BACK:
                    yield self.get(number)
            except (FileError, DamagedCheckpointError) as error:
                yield Damage.of(number, error)

    def get(self, checkpoint: str) -> Checkpoint:
        """The checkpoint with that id; `NoCheckpointError` when there is none.

        Raises `DamagedCheckpointError` for one that is damaged or that another version wrote.
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
        """Raise DamagedCheckpointError where what is kept beside a record says something else."""
        from secboot.checkpoint.first_record import (  # noqa: PLC0415 - of secboot 0.1.0 alone
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
            message = "it has no checksum, and what is kept beside it says something else"
            raise self._damaged(found.id, _RECORD, message)

    def _archive_bytes(self, checkpoint: str, name: str) -> bytes | None:
        """An archive; None where it can't be read."""
        try:
            return self._state.read_bytes(_path(checkpoint, name), ARCHIVE_LIMIT)
        except FileError:
            return None

    def before(self, checkpoint: Checkpoint, file: SavedFile) -> bytes:
        """The saved bytes of a file that there was before the change, checked by digest."""
        if file.before is None:
            raise ValueError(file.path)
        data = self._archive(checkpoint, BEFORE).get(file.path)
        if data is None or digest(data) != file.before.digest:
            raise self._damaged(checkpoint.id, BEFORE, f"{file.path} in it is not what was saved")
        return data

    def after(self, checkpoint: Checkpoint, file: SavedFile) -> bytes | None:
        """The bytes of a file after the change; None when not kept, or no file."""
        try:
            data = self._archive(checkpoint, _AFTER).get(file.path)
        except FileError:
            return None
        if data is None or file.after is None or digest(data) != file.after.digest:
            return None
        return data

    def holds_what_it_says(self, checkpoint: Checkpoint) -> bool:
        """Whether the archive of old files has these, as they were, and nothing besides."""
        data = self._archive_bytes(checkpoint.id, BEFORE)
        found = None if data is None else members(data)
        saved = [file for file in checkpoint.record.files if file.before is not None]
        return found is not None and [(member.path, digest(member.data)) for member in found] == [
            (file.path, file.before and file.before.digest) for file in saved
        ]

    def _archive(self, checkpoint: Checkpoint, name: str) -> dict[str, bytes]:
        """What an archive of a checkpoint holds, by path; read once for all its files."""
        key = (checkpoint.id, name)
        if self._unpacked is None or self._unpacked[0] != key:
            data = self._state.read_bytes(_path(checkpoint.id, name), ARCHIVE_LIMIT)
            self._unpacked = (key, unpack(data))
        return self._unpacked[1]

    def next_id(self) -> str:
        """The id for the next checkpoint; the lock is held until it is made."""
        return str(int(max(self.ids(), key=int, default="0")) + 1)

    def create(self, record: Record, changes: Sequence[FileChange]) -> None:
        """Make a checkpoint; when this returns, it and what it saves is on the disk."""
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
        """The journal of a checkpoint for writing; the lock is held all the while."""
        directory = self._state.open_directory(_path(checkpoint.id))
        return Journal(directory, checkpoint.id, checkpoint.journal)

    def has_next_journal(self, checkpoint: str) -> bool:
        """Whether a crash left a journal that was about to take the place of the present one."""
        return self._state.exists(_path(checkpoint, NEXT_JOURNAL))

    def discard_next_journal(self, checkpoint: str) -> None:
        """Remove it. The lock is held."""
        with self._state.open_directory(_path(checkpoint)) as directory:
            directory.discard(NEXT_JOURNAL)

    def unfinished(self) -> tuple[Checkpoint, ...]:
        """The checkpoint whose change is neither done nor rolled back, if there is one.

        It can only be the newest: no change begins before the one before it has ended. So what an
        older journal says, if that can be, is damage and leads to nothing.
        """
        newest = self.newest()
        whole = isinstance(newest, Checkpoint) and not newest.state.finished
        return (newest,) if whole and isinstance(newest, Checkpoint) else ()

    def newest(self) -> Checkpoint | Damage | None:
        """The newest checkpoint; None when there is none."""
        ids = self.ids()
        if not ids:
            return None
        try:
            return self.get(ids[-1])
        except (FileError, DamagedCheckpointError) as error:
            return Damage.of(ids[-1], error)

    def sweep(self) -> None:
        """Remove half-made and half-dropped checkpoints; the lock is held."""
        for name in self.remains():
            self._drop(name)

    def remains(self) -> tuple[str, ...]:
        """What a crash left of a checkpoint that was being made or dropped."""
        return tuple(name for name in self._names() if name.startswith((_BUILT, _DROPPED)))

    def retire(self, checkpoint: str) -> None:
        """Drop a checkpoint at once; `sweep` removes what is left of it. The lock is held."""
        with self._state.open_directory(CHECKPOINTS) as parent:
            parent.rename_directory(checkpoint, f"{_DROPPED}{os.urandom(8).hex()}")

    def strip(self, checkpoint: str) -> None:
        """Remove the copies of files that a checkpoint keeps; its record stays. The lock is held."""
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
        """The journal of a checkpoint, without a look at the record where it needs none."""
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
        """Say in which file the damage is, and what there is besides."""
        place = self.shown(checkpoint)
        return DamagedCheckpointError(
            message,
            location=Location(visible(f"{place}/{name}")),
            hint=f"it is left as it is; what was saved is in {visible(f'{place}/{BEFORE}')}",
        )


def _entries(data: bytes, checkpoint: str, *, first: bool) -> tuple[JournalEntry, ...]:
    """The entries of a journal; `first` is whether secboot 0.1.0 made the checkpoint."""
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
        f"there is no checkpoint {checkpoint!r}",
        hint=f"those there are: {', '.join(ids)}" if ids else "none has been made yet",
    )
