"""Putting back the files of a change, from whatever point it was left at.

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

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from secboot.checkpoint.place import Place, Places, matches
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase
from secboot.system.file_errors import ChangedError, FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.progress import Progress
    from secboot.system.files import FileContent


class Conflict(StrEnum):
    """What to do with a file that somebody changed after secboot had."""

    REFUSE = "refuse"
    """Leave it, and say that the change can't be undone."""
    KEEP = "keep"
    """Leave it, and count the change as undone."""
    OVERWRITE = "overwrite"
    """Put the old file in its place."""


class UndoReport(NamedTuple):
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


def undo_files(
    places: Places,
    saved: Callable[[int], bytes],
    conflict: Conflict = Conflict.REFUSE,
    progress: Progress = UNWATCHED,
) -> UndoReport:
    """Put back every file of a change, on the disk when this returns.

    `saved` gives the old bytes of the file with that index. All files are tried, even when one
    fails; then the first failure is raised (`FileError`).
    """
    outcomes: dict[str, _Outcome] = {}
    failure: FileError | None = None
    for index, place in reversed(tuple(enumerate(places.all))):
        try:
            outcomes[place.file.path] = _undo(place, partial(saved, index), conflict)
        except FileError as error:
            failure = failure or error
        progress.report(Phase.RESTORING, len(places.all) - index, len(places.all))
    places.sync()
    if failure is not None:
        raise failure
    return UndoReport(
        *(
            tuple(path for path, found in reversed(outcomes.items()) if found is outcome)
            for outcome in _Outcome
        )
    )


def _undo(place: Place, saved: Callable[[], bytes], conflict: Conflict) -> _Outcome:
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
