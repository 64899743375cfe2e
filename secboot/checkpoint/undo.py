"""Which changes stand: those that are complete and not undone by a later change.

A rollback is also a change, and can be rolled back; then the change that it undid stands again. A change
and the rollbacks that follow from it are one undo chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Action, Checkpoint
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from secboot.checkpoint.record import Audit
    from secboot.checkpoint.store import CheckpointStore, Damage


class NewestApply(NamedTuple):
    """The newest apply that stands, as far as known.

    `checkpoint` is None if there is none. `doubts` are later checkpoints that cannot be read: each may be
    an apply that stands, or the rollback of this one.
    """

    checkpoint: Checkpoint | None
    doubts: tuple[Damage, ...]


def standing(
    newest_first: Iterable[Checkpoint | Damage],
) -> Iterator[Checkpoint | Damage]:
    """Yield the changes that stand, and the checkpoints between them that cannot be read."""
    undone = set()
    for found in newest_first:
        if not isinstance(found, Checkpoint):
            yield found
        elif found.state is State.DONE and found.id not in undone:
            undone.add(found.record.audit.undoes)
            yield found


def undone_by(checkpoints: Iterable[Checkpoint]) -> dict[str, str]:
    """Return which change was undone by which rollback that stands."""
    found: dict[str, str] = {}
    for checkpoint in sorted(checkpoints, key=lambda each: int(each.id), reverse=True):
        undone = checkpoint.record.audit.undoes
        if undone is not None and checkpoint.state is State.DONE and checkpoint.id not in found:
            found.setdefault(undone, checkpoint.id)
    return found


def standing_trial(
    newest_first: Iterable[Checkpoint | Damage],
) -> Checkpoint | Damage | None:
    """Return the newest trial that stands and is not confirmed; None if there is none.

    A later checkpoint that cannot be read may have ended it, and is returned instead.
    """
    confirmed = set()
    for found in standing(newest_first):
        if not isinstance(found, Checkpoint):
            return found
        confirmed.add(found.record.audit.confirms)
        if found.record.audit.trial is not None:
            return found if found.id not in confirmed else None
    return None


def newest_apply(
    store: CheckpointStore,
    actions: Collection[Action] = (Action.APPLY,),
    *,
    but_trials: bool = False,
) -> NewestApply:
    """Return what ``rollback`` without an ID undoes, of all `actions`; `but_trials` skips trials."""
    return _newest(
        store, lambda audit: audit.action in actions and (audit.trial is None or not but_trials)
    )


def newest_profile(store: CheckpointStore) -> NewestApply:
    """Return the newest apply of a profile, which is the active profile.

    Neither ``set`` nor a trial that is not confirmed changes the active profile.
    """
    return _newest(store, _is_of_profile)


def _is_of_profile(audit: Audit) -> bool:
    return audit.action is Action.APPLY and audit.profile is not None and audit.trial is None


def _newest(store: CheckpointStore, counts: Callable[[Audit], bool]) -> NewestApply:
    doubts = []
    for found in standing(store.newest_first()):
        if not isinstance(found, Checkpoint):
            doubts.append(found)
        elif counts(found.record.audit):
            return NewestApply(found, tuple(doubts))
    return NewestApply(None, tuple(doubts))


def chains(done: Iterable[Checkpoint]) -> tuple[tuple[Checkpoint, ...], ...]:
    """Return the undo chains of completed changes, which are given and returned newest first."""
    found: dict[str, list[Checkpoint]] = {}
    newest_of: dict[str, str] = {}
    for checkpoint in done:
        newest = newest_of.get(checkpoint.id, checkpoint.id)
        found.setdefault(newest, []).append(checkpoint)
        if checkpoint.record.audit.undoes is not None:
            newest_of.setdefault(checkpoint.record.audit.undoes, newest)
    return tuple(map(tuple, found.values()))
