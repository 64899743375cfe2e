"""``secboot rollback``: return the machine to its state before the change of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import ChangeSet, Meanwhile, change_files
from secboot.apply.next_default import NextDefault, next_default
from secboot.apply.rollback_plan import BootRecordStep, Choices, RollbackPlan
from secboot.apply.rollback_planner import (
    nothing_to_undo,
    plan_of_ending,
    plan_rollback,
    prepare,
)
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.store import CheckpointStore
from secboot.named_tuple import NamedTuple
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from secboot.apply.change import ManagedRoot
    from secboot.apply.rollback_planner import Prepared
    from secboot.apply.zipl import ZiplRun
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Checkpoint, Trial
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.machine.discovery import Machine


class RollbackResult(NamedTuple):
    """What a rollback did.

    `undone` is the checkpoint that was rolled back; None if rolling back an interrupted change was all.
    `files` are the paths that were restored, `checkpoint` is that of the rollback; both are empty if
    everything was already as before. `programs` write the boot record here, if that is needed.
    `taken_along` are boot entries that were added since, had inherited the change and were reverted;
    `left_new` were not reverted. `gone` files were removed since and stay removed; `left` files were
    changed since and are left as they are. `next` is what the next IPL starts by default; None if
    unknown. `meanwhile` is what other programs did to the boot files during the rollback. `settings` are
    the paths of the restored settings. `trial` is what the undone change had tried, `confirmed` the
    checkpoint whose trial it had confirmed. `is_first` says that the first configuration was removed.
    `plan` is the plan that was followed.
    """

    undone: str | None
    files: tuple[str, ...]
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]
    needs_commit: bool = True
    programs: tuple[tuple[str, ...], ...] = ()
    taken_along: tuple[str, ...] = ()
    left_new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    next: NextDefault | None = None
    meanwhile: Meanwhile = Meanwhile()
    is_first: bool = False
    settings: tuple[str, ...] = ()
    trial: Trial | None = None
    confirmed: str | None = None
    refused: bool = False
    """Whether zipl refuses the files now, as it did before a change that repaired them."""
    plan: RollbackPlan | None = None

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl must run before the next IPL can use the old files."""
        changed = self.files or self.taken_along
        return bool(changed) and self.needs_commit and self.zipl is None and not self.refused


def roll_back(
    managed: ManagedRoot,
    checkpoint: str | None,
    choices: Choices | None = None,
    begin: Callable[[RollbackPlan], None] = lambda _: None,
    ask: Callable[[RollbackPlan], None] | None = None,
) -> RollbackResult:
    """Roll back `checkpoint`, or the newest apply that was not rolled back.

    An interrupted change is rolled back first; if it is the one that was named, that is all. `ask` gets
    the plan before the lock is taken, and `begin` gets each plan that is about to be followed, if there
    is something to do; whatever they raise stops it. Raises RefusedError if there is nothing to roll
    back, if files were changed since and `choices` do not say what to do with them, and if zipl would
    refuse the files after the rollback.
    """
    choices = choices or Choices()
    store = CheckpointStore.existing(managed.state)
    if store is None:
        raise nothing_to_undo(managed)
    store.close()
    if ask is not None:
        _ask(plan_rollback(managed, checkpoint, choices), ask)
    if managed.zipl is not None:
        managed.zipl.require_available(managed.root)
    with managed.write_access() as access:
        ending = plan_of_ending(managed, access, checkpoint, choices)
        if ending is not None:
            ending.require_applicable()
            begin(ending)
        recovered = managed.recover(access, choices.conflict)
        if ending is not None and ending.undoes is None:
            return RollbackResult(None, (), None, None, recovered, plan=ending)
        with managed.telling(recovered):
            prepared = prepare(managed, access, checkpoint, choices)
            prepared.plan.require_applicable()
            if not prepared.plan.is_empty:
                begin(prepared.plan)
            return _roll_back(managed, access, prepared)._replace(recovered=recovered)


def _ask(plan: RollbackPlan, ask: Callable[[RollbackPlan], None]) -> None:
    plan.require_applicable()
    if not plan.is_empty:
        ask(plan)


def _confirmed(found: Checkpoint, plan: RollbackPlan) -> str | None:
    """Return the checkpoint of the trial that stands again; None if its entry is not created again."""
    removed = {file.path for file in found.record.files if file.after is None}
    return None if removed & {*plan.gone} else found.record.audit.confirms


def _roll_back(managed: ManagedRoot, access: WriteAccess, prepared: Prepared) -> RollbackResult:
    plan, found, machine, undoing = prepared
    result = RollbackResult(
        found.id,
        tuple(change.path for change in plan.files),
        None,
        None,
        (),
        needs_commit=plan.boot_record is not BootRecordStep.NOT_NEEDED,
        programs=plan.programs,
        taken_along=tuple(change.path for change in plan.taken_along),
        left_new=plan.left_new,
        gone=plan.gone,
        left=plan.left,
        settings=tuple(each.path for each in plan.settings),
        is_first=found.record.audit.action is Action.INIT,
        trial=found.record.audit.trial,
        confirmed=_confirmed(found, plan),
        plan=plan,
    )
    if plan.changes or plan.settings:
        change_set = ChangeSet(
            changes=plan.changes,
            audit=_audit(managed, found, machine, {change.path for change in plan.changes}),
            machine=machine,
            needs_commit=result.needs_commit,
            settings=plan.settings,
            emptied=found.record.directories,
        )
        done = change_files(managed, access, change_set)
        result = result._replace(
            checkpoint=done.checkpoint, zipl=done.zipl, meanwhile=done.meanwhile
        )
        machine = done.machine
    if machine is None:
        return result
    if result.zipl is None and found.record.audit.action is Action.FIX:
        problems = (problem.code for problem in machine.configuration.problems)
        result = result._replace(refused=any(code not in ABOUT_OTHER_FILES for code in problems))
    if result.refused:
        return result
    ran = result.zipl is not None
    return result._replace(next=next_default(managed.layout, machine, undoing, ran=ran))


def _audit(
    managed: ManagedRoot, found: Checkpoint, machine: Machine | None, changed: Collection[str]
) -> Audit:
    entries = None if machine is None else [each.path for each in machine.configuration.bls]
    return Audit(
        action=Action.ROLLBACK,
        command=managed.command,
        who=Actor.current(),
        started=now(),
        version=__version__,
        profile=found.record.audit.profile,
        undoes=found.id,
        left_alone=None if entries is None else tuple(e for e in entries if e not in changed),
        parmfile=found.record.audit.parmfile,
    )
