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

The archives are tar, which a person can unpack without secboot; many files would each have to be
brought to the disk by itself. Members are named by their paths without the slash at the front, so
that unpacking at the root of the tree puts every file where it was, with its mode and its owner.
Extended attributes are in the record alone.
"""

from __future__ import annotations

import os
import time
from io import BytesIO
from tarfile import BLOCKSIZE, GNU_FORMAT, TarError, TarFile, TarInfo
from typing import TYPE_CHECKING, Self

from secboot.checkpoint.journal import Journal, parse_journal, state_of
from secboot.checkpoint.record import Checkpoint, DamagedCheckpointError, Record
from secboot.checkpoint.state_directory import CHECKPOINTS
from secboot.digest import digest
from secboot.errors import Location, ParseError, RefusedError
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError, NotFoundError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.checkpoint.journal import JournalEntry
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.system.directory import OpenDirectory
    from secboot.system.files import FileAttributes, FileChange
    from secboot.system.root import Root

BEFORE = "before.tar"
"""The archive that a rollback needs."""
_AFTER = "after.tar"
_BUILT = ".new-"
_DROPPED = ".old-"
_RECORD = "record.json"
_JOURNAL = "journal"


ARCHIVE_LIMIT = 2**30
"""Bytes: far more than ten thousand boot entries take."""

# Paths are bytes that need not be text, as everywhere in secboot (`secboot.system.files.encode`).
_ENCODING, _ERRORS = "utf-8", "surrogateescape"


class NoCheckpointError(RefusedError):
    """There is no checkpoint of that id."""


class Member(NamedTuple):
    """A file for an archive: its real path in the tree, its bytes, and its attributes."""

    path: str
    data: bytes
    attributes: FileAttributes


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
        return tuple(str(number) for number in sorted(map(int, filter(_is_id, self._names()))))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All checkpoints, the oldest first; raises `DamagedCheckpointError` for a damaged one."""
        return tuple(self.get(checkpoint) for checkpoint in self.ids())

    def get(self, checkpoint: str) -> Checkpoint:
        """The checkpoint with that id; `NoCheckpointError` when there is none."""
        if not _is_id(checkpoint):
            raise _no_checkpoint(checkpoint, self.ids())
        try:
            data = self._state.read_bytes(_path(checkpoint, _RECORD))
        except NotFoundError:
            raise _no_checkpoint(checkpoint, self.ids()) from None
        try:
            record = Record.from_json(data)
        except DamagedCheckpointError as error:
            raise self._damaged(checkpoint, error.message) from error
        if record.checkpoint != checkpoint:
            raise self._damaged(checkpoint, "this is the record of another checkpoint")
        return Checkpoint(record, self._journal(checkpoint), self.shown(checkpoint))

    def before(self, checkpoint: Checkpoint, index: int) -> bytes:
        """The saved bytes of its file `index` (from 0) before the change, checked by digest."""
        file = checkpoint.record.files[index]
        if file.before is None:
            raise ValueError(index)
        data = self._archive(checkpoint, BEFORE).get(file.path)
        if data is None or digest(data) != file.before.digest:
            raise self._damaged(checkpoint.id, f"{file.path} in {BEFORE} is not what was saved")
        return data

    def after(self, checkpoint: Checkpoint, index: int) -> bytes | None:
        """The bytes of its file `index` after the change; None when not kept, or no file."""
        file = checkpoint.record.files[index]
        try:
            data = self._archive(checkpoint, _AFTER).get(file.path)
        except FileError:
            return None
        if data is None or file.after is None or digest(data) != file.after.digest:
            return None
        return data

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

    def open_journal(self, checkpoint: str) -> Journal:
        """The journal of a checkpoint for writing; the lock is held all the while."""
        with self._state.open_directory(_path(checkpoint)) as directory:
            return Journal(directory.open_file(_JOURNAL, os.O_RDWR), checkpoint)

    def unfinished(self) -> tuple[Checkpoint, ...]:
        """The checkpoints whose change is neither done nor rolled back, the newest first."""
        return tuple(self.get(each) for each in reversed(self.ids()) if not self._is_finished(each))

    def prune(self, keep: int) -> tuple[str, ...]:
        """Drop the oldest finished checkpoints beyond the `keep` newest, and what a crash left.

        Returns the ids that were dropped. The lock is held.
        """
        surplus = [each for each in self.ids()[: -max(keep, 1)] if self._is_finished(each)]
        for checkpoint in surplus:
            self._retire(checkpoint)
        self.sweep()
        return tuple(surplus)

    def sweep(self) -> None:
        """Remove half-made and half-dropped checkpoints; the lock is held."""
        for name in self._names():
            if name.startswith((_BUILT, _DROPPED)):
                self._drop(name)

    def _is_finished(self, checkpoint: str) -> bool:
        """Whether its change is, which the journal alone says."""
        return state_of(self._journal(checkpoint)).finished

    def _retire(self, checkpoint: str) -> None:
        with self._state.open_directory(CHECKPOINTS) as parent:
            parent.rename_directory(checkpoint, f"{_DROPPED}{os.urandom(8).hex()}")

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

    def _journal(self, checkpoint: str) -> tuple[JournalEntry, ...]:
        try:
            data = self._state.read_bytes(_path(checkpoint, _JOURNAL))
            return parse_journal(data, checkpoint)[0]
        except NotFoundError:
            raise self._damaged(checkpoint, "the journal is missing") from None
        except ParseError as error:
            raise self._damaged(checkpoint, f"the journal: {error.message}") from error

    def _damaged(self, checkpoint: str, message: str) -> DamagedCheckpointError:
        shown = visible(self.shown(checkpoint))
        return DamagedCheckpointError(
            message,
            location=Location(shown),
            hint=f"look at what it saved ({BEFORE}) and compare; then move {shown} elsewhere",
        )


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
    directory.create(_JOURNAL, ())
    directory.create(_RECORD, [record.to_json()], sync=True)


def _path(checkpoint: str, name: str = "") -> str:
    path = f"{CHECKPOINTS}/{checkpoint}"
    return f"{path}/{name}" if name else path


def _is_id(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0") and len(name) < 10


def _no_checkpoint(checkpoint: str, ids: Sequence[str]) -> NoCheckpointError:
    return NoCheckpointError(
        f"there is no checkpoint {checkpoint!r}",
        hint=f"those there are: {', '.join(ids)}" if ids else "none has been made yet",
    )


def pack(members: Iterable[Member], modified: int) -> Iterator[bytes]:
    """Return the parts of an archive in order; `modified` is the time of all files, in s since 1970."""
    for member in members:
        info = TarInfo(member.path.removeprefix("/"))
        info.size, info.mtime = len(member.data), modified
        info.mode, info.uid, info.gid = member.attributes[:3]
        yield info.tobuf(GNU_FORMAT, _ENCODING, _ERRORS)
        yield member.data
        yield bytes(-len(member.data) % BLOCKSIZE)
    yield bytes(2 * BLOCKSIZE)


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return what files an archive has, by their paths; of a damaged one those that are whole.

    Whether the bytes are right is for the caller to check, by their digests.
    """
    found = {}
    try:
        with TarFile(
            fileobj=BytesIO(archive), ignore_zeros=True, encoding=_ENCODING, errors=_ERRORS
        ) as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isreg() else None
                if content is not None:
                    found[f"/{info.name}"] = content.read()
    except (TarError, ValueError, OverflowError):
        pass
    return found
