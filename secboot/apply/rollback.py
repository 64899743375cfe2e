"""``secboot rollback``: put the machine back to the state before a checkpoint's change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import ChangeSet, change_files
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.rollback import way_back
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.undo import newest_apply
from secboot.errors import RefusedError, SecbootError
from secboot.named_tuple import NamedTuple
from secboot.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.apply.change import ManagedRoot
    from secboot.apply.zipl import ZiplRun
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange


class RollbackResult(NamedTuple):
    """What a rollback did.

    `undone` is the checkpoint that was rolled back, None when an unfinished change was
    all there was to end. `files` are the paths that were put back, `checkpoint` the rollback's
    own; both are empty when everything was as before already. `programs` are what writes the
    boot record here, if that is needed.
    """

    undone: str | None
    files: tuple[str, ...]
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]
    needs_commit: bool = True
    programs: tuple[tuple[str, ...], ...] = ()

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl has to run before the next IPL uses the old files."""
        return bool(self.files) and self.needs_commit and self.zipl is None


def roll_back(
    managed: ManagedRoot, checkpoint: str | None, *, force: bool = False, keep: bool = False
) -> RollbackResult:
    """Roll back `checkpoint`, or the newest apply that was not rolled back.

    A change that was cut short is ended first; if it is the one that was named, that is all.
    With `force` files that somebody changed since are put back too; with `keep` an unfinished
    change is ended and such files are left. Raises RefusedError when there is nothing to roll
    back, and when files were changed since.
    """
    store = CheckpointStore.existing(managed.state)
    if store is None:
        raise _nothing(managed)
    store.close()
    if managed.zipl is not None:
        managed.zipl.require_available(managed.root)
    conflict = Conflict.OVERWRITE if force else Conflict.KEEP if keep else None
    with managed.write_access() as access:
        recovered = managed.recover(access, conflict or Conflict.KEEP)
        if recovered and checkpoint in {None, *(r.checkpoint.id for r in recovered)}:
            return RollbackResult(None, (), None, None, recovered)
        found = _choose(managed, access.store, checkpoint)
        managed.progress.report(Phase.READING)
        changes = way_back(access, found, conflict).changes
        if not changes:
            return RollbackResult(found.id, (), None, None, recovered)
        change_set = ChangeSet(
            changes=changes,
            audit=_audit(managed, found),
            machine=_machine(managed, changes),
            verify=lambda: None,
            needs_commit=any(managed.layout.needs_commit(c.path) for c in changes),
        )
        done = change_files(managed, access, change_set)
        files = tuple(change.path for change in changes)
        return RollbackResult(
            found.id,
            files,
            done.checkpoint,
            done.zipl,
            recovered,
            needs_commit=change_set.needs_commit,
            programs=tuple(program.argv for program in managed.layout.commit),
        )


def _choose(managed: ManagedRoot, store: CheckpointStore, checkpoint: str | None) -> Checkpoint:
    if checkpoint is not None:
        return store.get(checkpoint)
    found, doubts = newest_apply(store)
    if doubts:
        command = managed.invocation.command
        hints = [f"see what was done: {command('history')}"]
        if found is not None:
            hints.append(f"to undo the newest that can be read: {command('rollback', found.id)}")
        raise RefusedError(
            f"it is not known which apply is the newest: {doubts[0].finding.message}",
            hint="\n".join(hints),
        )
    if found is None:
        raise _nothing(managed)
    return found


def _nothing(managed: ManagedRoot) -> RefusedError:
    return RefusedError(
        f"there is nothing to roll back: {managed.state.shown} holds no apply that was not"
        " rolled back already",
        hint=f"`{managed.invocation.command('history')}` shows what was done here",
    )


def _machine(managed: ManagedRoot, changes: Sequence[FileChange]) -> Machine | None:
    """Return the machine for zipl's check of the candidates, if it can be read as it is.

    A configuration that is broken now is a reason to roll back, and no hindrance; nor can a
    file be checked that is to vanish.
    """
    if any(change.after is None for change in changes):
        return None
    try:
        return managed.discover()
    except SecbootError:
        return None


def _audit(managed: ManagedRoot, found: Checkpoint) -> Audit:
    return Audit(
        action=Action.ROLLBACK,
        command=managed.command,
        who=Actor.current(),
        started=now(),
        version=__version__,
        profile=found.record.audit.profile,
        undoes=found.id,
    )
