"""Which checkpoints are kept, and for how long.

What counts are the changes that stand (`secboot.checkpoint.undo`): of these, as many are kept as the
limit says, and as many undo chains that came to nothing, whole. Never dropped are the change that is
unfinished, the newest apply that stands and the newest of a profile, which is the active one, a trial that
stands, and what can't be read. A change that failed and was rolled back keeps its record, for the history, and loses its
copies of files, which nothing needs any more; only where a file was left to its user they stay a while.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import State, state_of
from secboot.checkpoint.record import Action
from secboot.checkpoint.undo import chains, standing, standing_trial
from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.text import decoded
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.checkpoint.journal import JournalEntry
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.root import Root

KEEP = 20
"""Changes that stand, and their checkpoints kept, where nothing else is set."""
FAILURES = 1000
"""Records of failed changes that are kept."""
LIMIT_FILE = "/etc/secboot/checkpoints"
"""Holds the limit as one number; blank lines and lines that begin with ``#`` do not count."""
_LARGEST = 10_000


class Kept(NamedTuple):
    """How many changes are kept; None, and the reason, where a limit is set that can't be read."""

    limit: int | None
    problem: Finding | None = None


class Surplus(NamedTuple):
    """Ids of checkpoints, the oldest first: those to drop, and those to lose their copies."""

    dropped: tuple[str, ...]
    stripped: tuple[str, ...]


def kept(root: Root) -> Kept:
    """Return the limit that the machine sets in `LIMIT_FILE`, or `KEEP`."""
    try:
        if not root.exists(LIMIT_FILE):
            return Kept(KEEP)
        text = decoded(root.read_bytes(LIMIT_FILE, 2**16))
    except FileError as error:
        return Kept(None, _no_limit(error.message, root))
    lines = [line.strip() for line in text.split("\n")]
    words = [line for line in lines if line and not line.startswith("#")]
    number = words[0] if len(words) == 1 else ""
    if number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= _LARGEST:
        return Kept(int(number))
    return Kept(None, _no_limit(f"it must hold one number from 1 to {_LARGEST}", root))


def _no_limit(reason: str, root: Root) -> Finding:
    message = f"this does not say how many changes are kept, so none is dropped: {reason}"
    return Finding(
        "checkpoint-limit", Severity.WARNING, message, Location(visible(root.shown(LIMIT_FILE)))
    )


def prune(store: CheckpointStore, keep: int | None) -> Surplus:
    """Drop the checkpoints that are not kept, and the copies of failures; the lock is held.

    Without a limit nothing is dropped. Returns what was done.
    """
    failed, done = _ended(store)
    if keep is None:
        surplus = Surplus((), _without_use(failed, KEEP))
    else:
        dropped = _beyond(done, keep) + tuple(failed)[FAILURES:]
        surplus = Surplus(tuple(sorted(dropped, key=int)), _without_use(failed, keep))
    for number in surplus.dropped:
        # The oldest first: a rollback without its apply does no harm, while an apply without the
        # rollback that undid it would seem to stand.
        store.retire(number)
    for number in surplus.stripped:
        if number not in surplus.dropped:
            store.strip(number)
    store.sweep()
    return surplus


def _ended(
    store: CheckpointStore,
) -> tuple[dict[str, tuple[JournalEntry, ...]], list[Checkpoint]]:
    """The journals of failures by id, and the changes that are done, both with the newest first."""
    failed, done = {}, []
    for number in reversed(store.ids()):
        # What can't be read stays where it is.
        with suppress(FileError, DamagedCheckpointError):
            entries = store.journal(number)
            if state_of(entries) is State.ROLLED_BACK:
                failed[number] = entries
            elif state_of(entries) is State.DONE:
                done.append(store.get(number))
    return failed, done


def _beyond(done: Sequence[Checkpoint], keep: int) -> tuple[str, ...]:
    """The ids of what is in neither of the newest chains, nor needed to know the active profile."""
    stands = {found.id for found in standing(done)}
    applies = [c for c in done if c.id in stands and c.record.audit.action is not Action.ROLLBACK]
    needed = {found.id for found in applies[:1]}
    rules = [c for c in applies if c.record.audit.profile and c.record.audit.trial is None]
    needed |= {found.id for found in rules[:1]}
    trial = standing_trial(done)
    needed |= set() if trial is None else {trial.id}
    counts = {True: 0, False: 0}
    dropped: list[str] = []
    for chain in chains(done):
        first = chain[-1]
        is_standing = first.id in stands and first.record.audit.action is not Action.ROLLBACK
        counts[is_standing] += 1
        ids = [each.id for each in chain]
        if counts[is_standing] > keep and not needed & set(ids):
            dropped += ids
    return tuple(dropped)


def _without_use(failed: Mapping[str, Sequence[JournalEntry]], keep: int) -> tuple[str, ...]:
    """The ids of failures whose copies nobody needs: all files were put back, or long ago."""
    return tuple(
        number
        for position, (number, entries) in enumerate(failed.items())
        if position >= keep or not entries[-1].facts.get("left")
    )
