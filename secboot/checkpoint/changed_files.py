"""The files of a change in their places, and restoring them from any point at which it stopped.

Nothing is assumed: what is there now decides whether a file is restored or left.

=================  ==========================  =======================================
the file is        its prepared temporary is   therefore
=================  ==========================  =======================================
the old one        anything                    nothing needs to be done
the new one        the displaced file          the displaced file is renamed back
the new one        missing                     the saved bytes are written and put back
something else     still the new bytes         it was never replaced: it is not touched
something else     anything else               somebody changed the new file: it is left
missing            anything                    somebody removed it: it stays removed
=================  ==========================  =======================================

If the change removes the file, "the new one" does not exist, and the displaced file shows that it was
this change that removed it.

The displaced file may differ from the saved one: somebody may have changed it immediately before it was
displaced, and secboot was killed at that point. It is restored all the same, because it is what was
there. Being killed anywhere in this procedure and running it again gives the same result.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase
from secboot.system.file_errors import ChangedError, FileError, NotFoundError, WrongKindError
from secboot.system.files import FileChange
from secboot.system.root import split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secboot.checkpoint.record import FileVersion, SavedFile
    from secboot.checkpoint.settings import Setting
    from secboot.progress import Progress
    from secboot.system.directory import OpenDirectory
    from secboot.system.files import FileContent
    from secboot.system.root import Root


class Place(NamedTuple):
    """One file of a change: its directory, held open, and its name in it."""

    file: SavedFile
    directory: OpenDirectory
    name: str

    def read(self) -> FileContent | None:
        """Return the file as it is now; None if it does not exist."""
        return self.directory.read(self.name)

    def discard_temporaries(self) -> bool:
        """Remove the temporary files of the change; return whether none is left."""
        left = False
        for name in (self.file.prepared, self.file.restored):
            try:
                self.directory.discard(name)
            except FileError:
                left = True
        return not left


class Places:
    """The files of a change, their directories held open and each opened once.

    `gone` are the files whose directory no longer exists. Without `missing_allowed` a missing
    directory is a FileError.
    """

    def __init__(
        self, root: Root, files: Sequence[SavedFile], *, missing_allowed: bool = False
    ) -> None:
        self._directories: dict[str, OpenDirectory] = {}
        found, gone = [], []
        try:
            for file in files:
                try:
                    found.append(self._place(root, file))
                except NotFoundError:
                    if not missing_allowed:
                        raise
                    gone.append(file.path)
        except BaseException:
            self.close()
            raise
        self.all, self.gone = tuple(found), tuple(gone)

    def _place(self, root: Root, file: SavedFile) -> Place:
        parent, name = split(file.path)
        if parent not in self._directories:
            self._directories[parent] = root.open_directory(parent)
        return Place(file, self._directories[parent], name)

    def sync(self) -> None:
        """Sync the names in all directories to the disk."""
        for directory in self._directories.values():
            directory.sync()

    def discard_temporaries(self) -> None:
        """Remove all temporary files of the change."""
        for place in self.all:
            place.discard_temporaries()

    def discard_displaced(self) -> None:
        """Remove the old files, which a completed change no longer needs."""
        for place in self.all:
            with suppress(FileError):
                place.directory.discard(place.file.prepared)

    def close(self) -> None:
        """Close the directories."""
        while self._directories:
            self._directories.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def matches(found: FileContent | None, version: FileVersion | None) -> bool:
    """Whether a file as found has the bytes of `version` (both None: the file does not exist)."""
    if found is None or version is None:
        return found is None and version is None
    return found.digest == version.digest


class Conflict(StrEnum):
    """What to do with a file that somebody changed after secboot changed it."""

    KEEP = "keep"
    """Leave it as it is."""
    OVERWRITE = "overwrite"
    """Restore the old file."""


class WayBack(NamedTuple):
    """The changes that undo a change; empty if all files are already as before.

    `gone` are files that were removed since and stay removed. `left` are files and settings that were
    changed since and are left as they are. `settings` come before the files that they rely on.
    """

    changes: tuple[FileChange, ...]
    gone: tuple[str, ...]
    left: tuple[str, ...]
    settings: tuple[Setting, ...] = ()


class FailedFile(NamedTuple):
    """A file that could not be restored, and why."""

    path: str
    error: FileError


class FileOutcomes(NamedTuple):
    """The outcome for each file, by its path in the root."""

    restored: tuple[str, ...] = ()
    """The old file was restored."""
    removed: tuple[str, ...] = ()
    """It did not exist before, so it was removed."""
    untouched: tuple[str, ...] = ()
    """Not, or no longer, the new file: nothing needed to be done."""
    left: tuple[str, ...] = ()
    """Somebody changed it since; it was left as it is."""
    gone: tuple[str, ...] = ()
    """Somebody removed it since, perhaps with its directory; it stays removed."""
    failed: tuple[FailedFile, ...] = ()
    """Still the new file, because it could not be restored."""

    @property
    def remaining(self) -> tuple[str, ...]:
        """The files that exist and are not as before."""
        return (*self.left, *(each.path for each in self.failed))


class _Outcome(StrEnum):
    RESTORED = "restored"
    REMOVED = "removed"
    UNTOUCHED = "untouched"
    LEFT = "left"
    GONE = "gone"


def put_back_files(
    places: Places,
    saved: Callable[[SavedFile], bytes],
    conflict: Conflict = Conflict.KEEP,
    progress: Progress = UNWATCHED,
) -> FileOutcomes:
    """Restore every file of a change; it is on the disk when this returns.

    `saved` returns the old bytes of a file. Every file is tried, even if others fail. Raises `FileError`
    if a directory cannot be synced to the disk.
    """
    outcomes = dict.fromkeys(places.gone, _Outcome.GONE)
    failed = []
    for number, place in enumerate(reversed(places.all), start=1):
        try:
            outcomes[place.file.path] = _roll_back(place, saved, conflict)
        except (FileError, DamagedCheckpointError) as error:
            failed.append(FailedFile(place.file.path, _about(place, error)))
        progress.report(Phase.RESTORING, number, len(places.all))
    places.sync()

    def those(outcome: _Outcome) -> tuple[str, ...]:
        return tuple(path for path, found in reversed(outcomes.items()) if found is outcome)

    return FileOutcomes(
        restored=those(_Outcome.RESTORED),
        removed=those(_Outcome.REMOVED),
        untouched=those(_Outcome.UNTOUCHED),
        left=those(_Outcome.LEFT),
        gone=those(_Outcome.GONE),
        failed=tuple(reversed(failed)),
    )


def would_put_back(
    places: Places,
    saved: Callable[[SavedFile], bytes],
    conflict: Conflict = Conflict.KEEP,
) -> WayBack:
    """Return what `put_back_files` would do now; nothing is written."""
    changes, gone, left = [], list(places.gone), []
    for place in places.all:
        try:
            current = place.read()
        except WrongKindError:
            left.append(place.file.path)
            continue
        settled = _settled(place, current, conflict)
        if settled is _Outcome.GONE:
            gone.append(place.file.path)
        elif settled is _Outcome.LEFT:
            left.append(place.file.path)
        elif settled is None:
            changes.append(_change_back(place, current, saved))
    return WayBack(tuple(changes), tuple(gone), tuple(left))


def _change_back(
    place: Place, current: FileContent | None, saved: Callable[[SavedFile], bytes]
) -> FileChange:
    file = place.file
    before = None if current is None else current.data
    displaced = _displaced(place)
    if displaced is not None:
        return FileChange(file.named, file.path, before, displaced.data, displaced.attributes)
    if file.before is None:
        return FileChange(file.named, file.path, before, None)
    return FileChange(file.named, file.path, before, saved(file), file.before.attributes)


def _displaced(place: Place) -> FileContent | None:
    """Return the file that the new one replaced; None if it no longer exists."""
    found = place.directory.read(place.file.prepared)
    return None if found is None or matches(found, place.file.after) else found


def _about(place: Place, error: FileError | DamagedCheckpointError) -> FileError:
    if isinstance(error, FileError):
        return error
    shown = place.directory.shown(place.name)
    return FileError(f"its old content cannot be read: {error}", path=shown, hint=error.hint)


def _roll_back(place: Place, saved: Callable[[SavedFile], bytes], conflict: Conflict) -> _Outcome:
    try:
        current = place.read()
    except WrongKindError:
        return _Outcome.LEFT
    settled = _settled(place, current, conflict)
    if settled is not None:
        return settled
    try:
        return _put_back(place, current, saved)
    except ChangedError:
        return _Outcome.LEFT


def _settled(place: Place, current: FileContent | None, conflict: Conflict) -> _Outcome | None:
    """Return the outcome for a file that is not to be restored; None for one that is."""
    if matches(current, place.file.before):
        return _Outcome.UNTOUCHED
    if current is None and place.file.after is None:
        # A change keeps what it removes until it is complete.
        there = place.directory.read(place.file.prepared) is not None
        return None if there else _Outcome.GONE
    if matches(current, place.file.after):
        return None
    if current is None:
        return _Outcome.GONE
    if _was_never_replaced(place):
        return _Outcome.UNTOUCHED
    return None if conflict is Conflict.OVERWRITE else _Outcome.LEFT


def _was_never_replaced(place: Place) -> bool:
    if place.file.after is None:
        return place.directory.read(place.file.prepared) is None
    return matches(place.directory.read(place.file.prepared), place.file.after)


def _put_back(
    place: Place, current: FileContent | None, saved: Callable[[SavedFile], bytes]
) -> _Outcome:
    if _displaced(place) is not None:
        place.directory.put(place.name, place.file.prepared, current)
        return _Outcome.RESTORED
    if place.file.before is None:
        if current is not None:
            place.directory.discard(place.file.restored)
            place.directory.take_away(place.name, place.file.restored, current)
        return _Outcome.REMOVED
    place.directory.discard(place.file.restored)
    place.directory.write_temporary(
        place.file.restored, saved(place.file), place.file.before.attributes, shown_as=place.name
    )
    place.directory.put(place.name, place.file.restored, current)
    return _Outcome.RESTORED
