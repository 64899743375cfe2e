"""Which changes stand: those that are done and that no later change undoes.

A rollback is a change, too, and can itself be rolled back; then the change that it undid stands again.
A change and the rollbacks that lead from it are one undo chain.
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
    """The newest apply that stands, as far as that is known.

    `checkpoint` is None when there is none. `doubts` are checkpoints after it that can't be read:
    each may be an apply that stands, or what undid this one.
    """

    checkpoint: Checkpoint | None
    doubts: tuple[Damage, ...]


def standing(
    newest_first: Iterable[Checkpoint | Damage],
) -> Iterator[Checkpoint | Damage]:
    """Those of the changes that stand, and among them what can't be read."""
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
    """Return the newest trial that stands and was not confirmed; None where there is none.

    What can't be read before one is found may be its end, and is returned instead.
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
    """What ``rollback`` without an id undoes, of all `actions`; `but_trials` where none is left to drop."""
    return _newest(
        store, lambda audit: audit.action in actions and (audit.trial is None or not but_trials)
    )


def newest_profile(store: CheckpointStore) -> NewestApply:
    """The newest apply of a profile, which is the active one.

    What ``set`` does changes nothing of it, nor does a trial before it is confirmed.
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
    """The undo chains of changes that are done, given and returned with the newest first."""
    found: dict[str, list[Checkpoint]] = {}
    newest_of: dict[str, str] = {}
    for checkpoint in done:
        newest = newest_of.get(checkpoint.id, checkpoint.id)
        found.setdefault(newest, []).append(checkpoint)
        if checkpoint.record.audit.undoes is not None:
            newest_of.setdefault(checkpoint.record.audit.undoes, newest)
    return tuple(map(tuple, found.values()))
