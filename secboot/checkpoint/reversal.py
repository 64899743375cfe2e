"""Going back behind a finished change: ``secboot rollback [ID]``.

It is a change like any other, with a checkpoint of its own, whose new files are the old ones of the
checkpoint that it goes back behind. What decides is the content: every file must still be what
that change made of it. So an older change can be rolled back only when the later ones did not touch
its files or were rolled back before, or by force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.journal import State
from secboot.checkpoint.place import matches
from secboot.checkpoint.record import Action
from secboot.errors import RefusedError
from secboot.system.files import FileChange
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.checkpoint.store import Checkpoint, CheckpointStore
    from secboot.system.root import Root


class ChangedSinceError(RefusedError):
    """Files were changed after the change that is to be rolled back. `paths` says which."""

    def __init__(self, message: str, *, paths: tuple[str, ...], hint: str) -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


def latest_to_reverse(store: CheckpointStore) -> Checkpoint | None:
    """What ``rollback`` without an id means: the newest apply that is done and not rolled back."""
    done = [found for found in store.checkpoints() if found.state is State.DONE]
    reversed_already = {found.record.audit.undoes for found in done}
    candidates = (
        found
        for found in reversed(done)
        if found.record.audit.action is Action.APPLY and found.id not in reversed_already
    )
    return next(candidates, None)


def reversal(
    store: CheckpointStore, root: Root, checkpoint: Checkpoint, *, force: bool = False
) -> tuple[FileChange, ...]:
    """The changes that go back behind `checkpoint`; empty when all files are as before it already.

    Raises `ChangedSinceError` when a file is not what the change made of it, unless `force`d,
    and `RefusedError` for a checkpoint whose change was not done.
    """
    if checkpoint.state is not State.DONE:
        raise RefusedError(
            f"checkpoint {checkpoint.id} is {checkpoint.state}: it has nothing to roll back"
        )
    changes, changed = [], []
    for index, file in enumerate(checkpoint.record.files):
        found = root.read_direct(file.path)
        if matches(found, file.before):
            continue
        if not matches(found, file.after):
            changed.append(file.path)
        changes.append(
            FileChange(
                path=file.named,
                real_path=file.path,
                before=None if found is None else found.data,
                after=None if file.before is None else store.before(checkpoint, index),
                attributes=None if file.before is None else file.before.attributes,
            )
        )
    if changed and not force:
        raise _changed_since(store, checkpoint, changed)
    return tuple(changes)


def _changed_since(
    store: CheckpointStore, checkpoint: Checkpoint, changed: Sequence[str]
) -> ChangedSinceError:
    later = [
        found.id
        for found in store.checkpoints()
        if int(found.id) > int(checkpoint.id)
        and found.state is State.DONE
        and any(file.path in changed for file in found.record.files)
    ]
    paths = ", ".join(map(visible, changed))
    if later:
        hint = f"checkpoint {later[-1]} changed them: roll that back first, or use --force"
    else:
        hint = "look at them first; --force puts the old content in their place"
    return ChangedSinceError(
        f"changed since checkpoint {checkpoint.id}: {paths}", paths=tuple(changed), hint=hint
    )
