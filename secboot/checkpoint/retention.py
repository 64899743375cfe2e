"""Which checkpoints are kept, and for how long.

The limit is a number of changes that stand (`secboot.checkpoint.undo`). The same number of undo chains of
which nothing stands is kept, each as a whole. Never dropped are an unfinished change, the newest apply
that stands, the newest apply of a profile (which is the active one), a trial that stands, and whatever
cannot be read. A change that failed and was rolled back keeps its record, for the history, and loses its
copies of files, which are no longer needed; if a file was left as somebody changed it, they are kept for
a while.
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
"""How many changes that stand are kept by default."""
FAILURES = 1000
"""Records of failed changes that are kept."""
LIMIT_FILE = "/etc/secboot/checkpoints"
"""Holds the limit as one number; blank lines and lines that begin with ``#`` are ignored."""
_LARGEST = 10_000


class Kept(NamedTuple):
    """How many changes are kept; None, and the reason, if a limit is set that cannot be read."""

    limit: int | None
    problem: Finding | None = None


class Surplus(NamedTuple):
    """IDs of checkpoints, oldest first: those to drop, and those whose copies to drop."""

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
    return Kept(None, _no_limit(f"it must contain one number from 1 to {_LARGEST}", root))


def _no_limit(reason: str, root: Root) -> Finding:
    message = f"cannot tell how many changes to keep, so none is dropped: {reason}"
    return Finding(
        "checkpoint-limit", Severity.WARNING, message, Location(visible(root.shown(LIMIT_FILE)))
    )


def prune(store: CheckpointStore, keep: int | None) -> Surplus:
    """Drop the checkpoints that are not kept, and the copies of failed changes; the lock is held.

    Without a limit nothing is dropped. Returns what was dropped.
    """
    failed, done = _ended(store)
    if keep is None:
        surplus = Surplus((), _without_use(failed, KEEP))
    else:
        dropped = _beyond(done, keep) + tuple(failed)[FAILURES:]
        surplus = Surplus(tuple(sorted(dropped, key=int)), _without_use(failed, keep))
    for number in surplus.dropped:
        # Oldest first: a rollback without its apply does no harm, but an apply without the rollback
        # that undid it would appear to stand.
        store.retire(number)
    for number in surplus.stripped:
        if number not in surplus.dropped:
            store.strip(number)
    store.sweep()
    return surplus


def _ended(
    store: CheckpointStore,
) -> tuple[dict[str, tuple[JournalEntry, ...]], list[Checkpoint]]:
    """Return the journals of failed changes by ID, and the completed changes, both newest first."""
    failed, done = {}, []
    for number in reversed(store.ids()):
        # What cannot be read is kept.
        with suppress(FileError, DamagedCheckpointError):
            entries = store.journal(number)
            if state_of(entries) is State.ROLLED_BACK:
                failed[number] = entries
            elif state_of(entries) is State.DONE:
                done.append(store.get(number))
    return failed, done


def _beyond(done: Sequence[Checkpoint], keep: int) -> tuple[str, ...]:
    """Return the IDs of changes that are in none of the newest chains and do not set the active profile."""
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
    """Return the IDs of failed changes whose copies are not needed: all files restored, or long ago."""
    return tuple(
        number
        for position, (number, entries) in enumerate(failed.items())
        if position >= keep or not entries[-1].facts.get("left")
    )
