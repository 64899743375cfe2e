"""The files of a change where they are, and putting them back from whatever point it was left at.

Nothing is taken on trust: each file is put back, or left, by what stands there now.

=================  ==========================  =======================================
the file is        its prepared temporary is   so
=================  ==========================  =======================================
the old one        anything                    nothing is to be done
the new one        the displaced file          that one is put back by a rename
the new one        not there                   the saved bytes are written and put back
something else     still the new bytes         it was never replaced: not ours to touch
something else     anything else               somebody changed the new file: a conflict
=================  ==========================  =======================================

The displaced file may differ from the saved one, if somebody changed it at the last instant
before it was displaced and secboot was killed right then; it is put back all the same, for it is
what stood there. Running all of this again, after being killed anywhere in it, ends the same.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Self

from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase
from secboot.system.file_errors import ChangedError, FileError
from secboot.system.root import split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secboot.checkpoint.record import FileVersion, SavedFile
    from secboot.progress import Progress
    from secboot.system.directory import OpenDirectory
    from secboot.system.files import FileContent
    from secboot.system.root import Root


class Place(NamedTuple):
    """One file of a change, by its directory and its name in it."""

    file: SavedFile
    directory: OpenDirectory
    name: str

    def read(self) -> FileContent | None:
        """The file as it is now; None when there is none."""
        return self.directory.read(self.name)

    def discard_temporaries(self) -> None:
        """Remove the temporary files of the change; what can't be removed stays."""
        for name in (self.file.prepared, self.file.restored):
            with suppress(FileError):
                self.directory.discard(name)


class Places:
    """The files of a change, their directories held open and each opened once."""

    def __init__(self, root: Root, files: Sequence[SavedFile]) -> None:
        self._directories: dict[str, OpenDirectory] = {}
        try:
            self.all = tuple(self._place(root, file) for file in files)
        except BaseException:
            self.close()
            raise

    def _place(self, root: Root, file: SavedFile) -> Place:
        parent, name = split(file.path)
        if parent not in self._directories:
            self._directories[parent] = root.open_directory(parent)
        return Place(file, self._directories[parent], name)

    def sync(self) -> None:
        """Bring the names in all the directories to the disk."""
        for directory in self._directories.values():
            directory.sync()

    def discard_temporaries(self) -> None:
        """Remove all temporary files of the change."""
        for place in self.all:
            place.discard_temporaries()

    def discard_displaced(self) -> None:
        """Remove the old files, which a change that is done has no more need of."""
        for place in self.all:
            with suppress(FileError):
                place.directory.discard(place.file.prepared)

    def close(self) -> None:
        """Let the directories go."""
        while self._directories:
            self._directories.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def matches(found: FileContent | None, version: FileVersion | None) -> bool:
    """Whether a file as found has the bytes of `version` (both None: there is none)."""
    if found is None or version is None:
        return found is None and version is None
    return found.digest == version.digest


class Conflict(StrEnum):
    """What to do with a file that somebody changed after secboot had."""

    REFUSE = "refuse"
    """Leave it, and say that the change can't be rolled back."""
    KEEP = "keep"
    """Leave it, and count the change as rolled back."""
    OVERWRITE = "overwrite"
    """Put the old file in its place."""


class FileOutcomes(NamedTuple):
    """What became of each file, by its path in the root."""

    restored: tuple[str, ...] = ()
    """The old file was put back."""
    removed: tuple[str, ...] = ()
    """There was none before, so it was removed."""
    untouched: tuple[str, ...] = ()
    """Not, or no longer, the new file: nothing was to be done."""
    conflicts: tuple[str, ...] = ()
    """Changed by somebody since, and left alone."""


class _Outcome(StrEnum):
    RESTORED = "restored"
    REMOVED = "removed"
    UNTOUCHED = "untouched"
    CONFLICT = "conflict"


def put_back_files(
    places: Places,
    saved: Callable[[int], bytes],
    conflict: Conflict = Conflict.REFUSE,
    progress: Progress = UNWATCHED,
) -> FileOutcomes:
    """Put back every file of a change, on the disk when this returns.

    `saved` gives the old bytes of the file with that index. All files are tried, even when one
    fails; then the first failure is raised (`FileError`).
    """
    outcomes: dict[str, _Outcome] = {}
    failure: FileError | None = None
    for index, place in reversed(tuple(enumerate(places.all))):
        try:
            outcomes[place.file.path] = _roll_back(place, partial(saved, index), conflict)
        except FileError as error:
            failure = failure or error
        progress.report(Phase.RESTORING, len(places.all) - index, len(places.all))
    places.sync()
    if failure is not None:
        raise failure
    return FileOutcomes(
        *(
            tuple(path for path, found in reversed(outcomes.items()) if found is outcome)
            for outcome in _Outcome
        )
    )


def _roll_back(place: Place, saved: Callable[[], bytes], conflict: Conflict) -> _Outcome:
    current = place.read()
    if matches(current, place.file.before):
        return _Outcome.UNTOUCHED
    if not matches(current, place.file.after):
        if _was_never_replaced(place):
            return _Outcome.UNTOUCHED
        if conflict is not Conflict.OVERWRITE:
            return _Outcome.CONFLICT
    try:
        return _put_back(place, current, saved)
    except ChangedError:
        return _Outcome.CONFLICT


def _was_never_replaced(place: Place) -> bool:
    if place.file.after is None:
        return place.directory.read(place.file.prepared) is None
    return matches(place.directory.read(place.file.prepared), place.file.after)


def _put_back(place: Place, current: FileContent | None, saved: Callable[[], bytes]) -> _Outcome:
    displaced = place.directory.read(place.file.prepared)
    if displaced is not None and not matches(displaced, place.file.after):
        place.directory.put(place.name, place.file.prepared, current)
        return _Outcome.RESTORED
    if place.file.before is None:
        if current is not None:
            place.directory.discard(place.file.restored)
            place.directory.take_away(place.name, place.file.restored, current)
        return _Outcome.REMOVED
    place.directory.discard(place.file.restored)
    place.directory.write_temporary(
        place.file.restored, saved(), place.file.before.attributes, shown_as=place.name
    )
    place.directory.put(place.name, place.file.restored, current)
    return _Outcome.RESTORED
