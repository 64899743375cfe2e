"""The plan of a rollback, made without the lock to show it, and again under the lock to follow it.

A rollback is judged by the files it leaves. Files that were removed since stay removed; boot entries that
were added since and have inherited parameters are also reverted; and what zipl would refuse is refused
beforehand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from secboot.apply.change import problem_key
from secboot.apply.mounted import lacks_directories, lacks_entries, not_mounted
from secboot.apply.next_default import NextDefault, leaving_secure_execution, next_default
from secboot.apply.rollback_plan import BootRecordStep, Choices, RollbackPlan, UndoneChange
from secboot.apply.undoing import (
    entries_since,
    merged_sections,
    reverted_entries,
    undoing_of,
)
from secboot.checkpoint.changed_files import Conflict, WayBack
from secboot.checkpoint.record import Action, Checkpoint
from secboot.checkpoint.recovery import unfinished_change
from secboot.checkpoint.rollback import ChangedSinceError, way_back
from secboot.checkpoint.undo import newest_apply, standing_trial
from secboot.errors import RefusedError, SecbootError
from secboot.finding import Finding, Severity
from secboot.machine.discovery import configuration_after, is_bls_entry
from secboot.machine.zipl_conf_file import require_system
from secboot.named_tuple import NamedTuple
from secboot.progress import Phase
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Collection

    from secboot.apply.change import ManagedRoot
    from secboot.apply.undoing import Undoing
    from secboot.checkpoint.access import Access
    from secboot.checkpoint.store import CheckpointStore
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange
    from secboot.zipl.configuration import BootConfiguration


_UNDONE = (Action.APPLY, Action.INIT, Action.FIX)
"""What a rollback without an ID undoes."""


class Prepared(NamedTuple):
    """A plan, and what following it needs; `machine` is None if it cannot be read as it is."""

    plan: RollbackPlan
    checkpoint: Checkpoint
    machine: Machine | None
    undoing: Undoing


def plan_rollback(
    managed: ManagedRoot, checkpoint: str | None, choices: Choices | None = None
) -> RollbackPlan:
    """Return what `roll_back` would do now; no lock is taken and nothing is written.

    Raises RefusedError if there is nothing to roll back, or if zipl is needed and missing.
    """
    choices = choices or Choices()
    with managed.read_access() as access:
        if access is None:
            raise nothing_to_undo(managed)
        if managed.zipl is not None:
            managed.zipl.require_available(managed.root)
        ending = plan_of_ending(managed, access, checkpoint, choices)
        return ending or prepare(managed, access, checkpoint, choices).plan


def plan_of_ending(
    managed: ManagedRoot, access: Access, checkpoint: str | None, choices: Choices
) -> RollbackPlan | None:
    """Return how an interrupted change will be rolled back; None if there is none.

    `undoes` is set if a rollback of another change follows.
    """
    found = unfinished_change(access, choices.conflict or Conflict.KEEP)
    if found is None:
        return None
    more = checkpoint not in {None, found.checkpoint.id}
    undoes = access.store.get(checkpoint) if more and checkpoint is not None else None
    missing = choices.conflict is None and lacks_directories(managed.root, found.way.gone)
    return RollbackPlan(
        root=managed.root.base,
        undoes=None if undoes is None else UndoneChange.of(undoes),
        unfinished=UndoneChange.of(found.checkpoint),
        files=found.way.changes,
        taken_along=(),
        left_new=(),
        gone=found.way.gone,
        left=found.way.left,
        conflicts=(),
        boot_record=_boot_record(managed, due=found.commits),
        programs=_programs(managed),
        next_default=None,
        settings=found.way.settings,
        refusal=not_mounted(managed.invocation, found.checkpoint.id) if missing else None,
    )


def prepare(
    managed: ManagedRoot, access: Access, checkpoint: str | None, choices: Choices
) -> Prepared:
    """Return the changes of the rollback, and whether zipl would accept the files after it."""
    machine = _machine(managed)
    found = _choose(managed, access.store, checkpoint, machine)
    undoing = undoing_of(access.store, found)
    new: tuple[FileChange, ...] = ()
    if machine is not None and not machine.sources.generated:
        new = tuple(reverted_entries(machine, entries_since(machine, found), undoing))
    way = partial(
        way_back,
        access,
        found,
        choices.conflict,
        merge=partial(merged_sections, access.store, found),
    )
    conflicts: tuple[str, ...] = ()
    refusal: Finding | None = None
    try:
        back = way()
    except ChangedSinceError as error:
        back, conflicts = error.way, error.paths
        refusal = Finding("changed-since", Severity.ERROR, error.message, None, error.hint)
    taken = () if choices.leave_new else new
    judge = partial(_judged, managed, found, machine, taken)
    back, after, problem = judge(back)
    if problem is not None and choices.force and back.gone:
        # zipl may need what is missing.
        back, after, problem = judge(way(bring_back=True))
    back = _with_settings(managed, found, back)
    if refusal is None and choices.conflict is None and lacks_entries(machine, back.gone):
        refusal = not_mounted(managed.invocation, found.id)
    if refusal is None and problem is not None:
        refusal = _refused(managed, machine, found, problem)
    changes = (*back.changes, *taken)
    due = _needs_commit(managed, found, machine, changes)
    plan = RollbackPlan(
        root=managed.root.base,
        undoes=UndoneChange.of(found),
        unfinished=None,
        files=back.changes,
        taken_along=taken,
        left_new=tuple(change.path for change in new) if choices.leave_new else (),
        gone=back.gone,
        left=back.left,
        conflicts=conflicts,
        boot_record=_boot_record(managed, due=due),
        programs=_programs(managed),
        next_default=_next(managed, machine, after, undoing),
        settings=back.settings,
        refusal=refusal,
        warnings=leaving_secure_execution(
            managed.layout, machine, after, runs=managed.zipl is not None
        )
        if due
        else (),
    )
    return Prepared(plan, found, machine, undoing)


def nothing_to_undo(managed: ManagedRoot) -> RefusedError:
    """Return the error if there is nothing to roll back."""
    require_system(managed.root)
    return RefusedError(
        f"nothing to roll back: {managed.state.shown} has no change that was not rolled back already",
        hint=f"`{managed.invocation.command('history')}` shows all changes",
    )


def _with_settings(managed: ManagedRoot, found: Checkpoint, way: WayBack) -> WayBack:
    """Add the setting that keeps a reboot from starting a trial's boot entry, which is removed."""
    trial = found.record.audit.trial
    if trial is None or way.settings or not managed.is_running:
        return way
    from secboot.apply.trial_setting import setting_to_take_back  # noqa: PLC0415 - only for a trial
    from secboot.running.firmware import read_reipl  # noqa: PLC0415

    setting = setting_to_take_back(found, trial, read_reipl(managed.root))
    if setting is None:
        return way
    left = tuple(path for path in way.left if path != setting.path)
    return way._replace(settings=(setting,), left=left)


def _boot_record(managed: ManagedRoot, *, due: bool) -> BootRecordStep:
    if not due:
        return BootRecordStep.NOT_NEEDED
    return BootRecordStep.PENDING if managed.zipl is None else BootRecordStep.WRITTEN


def _programs(managed: ManagedRoot) -> tuple[tuple[str, ...], ...]:
    return tuple(program.argv for program in managed.layout.commit)


def _needs_commit(
    managed: ManagedRoot,
    found: Checkpoint,
    machine: Machine | None,
    changes: Collection[FileChange],
) -> bool:
    """Whether the boot record is made from what changes; a parmfile that only images use is not part of it."""
    is_first = found.record.audit.action is Action.INIT
    if is_first or (machine is not None and machine.awaits_kernel):
        return False
    parmfiles = () if machine is None else machine.parmfiles.values()
    read = {file.real_path for file in parmfiles}
    return any(
        change.real_path in read
        if change.path == found.record.audit.parmfile
        else managed.layout.needs_commit(change.path)
        for change in changes
    )


def _judged(
    managed: ManagedRoot,
    found: Checkpoint,
    machine: Machine | None,
    taken: tuple[FileChange, ...],
    way: WayBack,
) -> tuple[WayBack, BootConfiguration | SecbootError | None, Finding | SecbootError | None]:
    """Return the way back, the configuration after it, and why zipl would refuse that.

    A boot entry whose kernel was removed since is not created again: zipl would refuse all entries.
    """
    after = _after(managed, found, machine, way, taken)
    problem = _problem(managed, machine, found, after)
    path = _entry_without_kernel(way, problem)
    if path is None:
        return way, after, problem
    others = tuple(change for change in way.changes if change.path != path)
    left_out = way._replace(changes=others, gone=(*way.gone, path))
    return _judged(managed, found, machine, taken, left_out)


def _entry_without_kernel(way: WayBack, problem: Finding | SecbootError | None) -> str | None:
    if not isinstance(problem, Finding) or problem.location is None:
        return None
    path = problem.location.path
    is_created = any(c.path == path and c.before is None for c in way.changes)
    about_kernel = problem.code in ABOUT_OTHER_FILES
    return path if is_created and about_kernel and is_bls_entry(path) else None


def _after(
    managed: ManagedRoot,
    found: Checkpoint,
    machine: Machine | None,
    way: WayBack,
    taken: tuple[FileChange, ...],
) -> BootConfiguration | SecbootError | None:
    """Return the configuration after the rollback, or why it cannot be read; None if it is not needed."""
    if managed.layout.sources.generated:
        return None
    is_first = found.record.audit.action is Action.INIT
    if is_first or (machine is not None and machine.awaits_kernel):
        return None  # there is no configuration, or none after it, that zipl could refuse
    changes = (*way.changes, *taken)
    if not changes and not way.gone:
        return None if machine is None else machine.configuration
    contents = {}
    for change in changes:
        contents[change.path] = contents[change.real_path] = change.after
    try:
        return configuration_after(
            managed.root, managed.layout.sources, managed.environment, contents
        )
    except SecbootError as error:
        told = managed.zipl is not None or machine is not None or way.gone
        return error if told else None


def _problem(
    managed: ManagedRoot,
    machine: Machine | None,
    found: Checkpoint,
    after: BootConfiguration | SecbootError | None,
) -> Finding | SecbootError | None:
    """Return why zipl would refuse the files after the rollback; None if it would not.

    If zipl is not to run, problems that exist now or existed before the apply are ignored: a tree may
    have no kernels yet.
    """
    if after is None or isinstance(after, SecbootError):
        return after
    if machine is not None and after is machine.configuration:
        return None
    if managed.zipl is not None:
        return next(iter(after.problems), None)
    if machine is None:
        return None
    known = {*map(problem_key, machine.configuration.problems), *found.record.audit.problems}
    return next((p for p in after.problems if problem_key(p) not in known), None)


def _refused(
    managed: ManagedRoot,
    machine: Machine | None,
    found: Checkpoint,
    problem: Finding | SecbootError,
) -> Finding:
    command = managed.invocation.command
    hint = [f"see what the change was: {command('history', found.id)}"]
    key = problem_key(problem) if isinstance(problem, Finding) else None
    now = () if machine is None else map(problem_key, machine.configuration.problems)
    if key in found.record.audit.problems:
        again = command("rollback", found.id, "--no-zipl")
        hint += [
            f"zipl refused them before that change, too; to restore them all the same: {again}",
            f"to undo an earlier change, give its ID: {command('history')}",
        ]
    elif key in now:
        in_tree = managed.zipl is not None and managed.zipl.chroot is not None
        again = command("rollback", found.id, *(["--zipl"] if in_tree else []))
        hint += [
            f"zipl refuses them now, too; see what can be repaired: {command('check')}",
            f"then repeat: {again}",
        ]
    elif isinstance(problem, Finding):
        hint += [
            f"see what zipl says now: {command('check')}",
            "then correct that, or apply a different profile instead of rolling back",
        ]
    return Finding(
        "refused-by-zipl",
        Severity.ERROR,
        f"zipl would refuse the boot files as this rollback leaves them: {problem.message}",
        problem.location,
        "\n".join([*([problem.hint] if problem.hint else []), *hint]),
    )


def _next(
    managed: ManagedRoot,
    machine: Machine | None,
    after: BootConfiguration | SecbootError | None,
    undoing: Undoing,
) -> NextDefault | None:
    if machine is None or after is None or isinstance(after, SecbootError):
        return None
    return next_default(managed.layout, machine._replace(configuration=after), undoing, ran=False)


def _choose(
    managed: ManagedRoot, store: CheckpointStore, checkpoint: str | None, machine: Machine | None
) -> Checkpoint:
    """Return the checkpoint to undo: by default a trial that stands, even if new kernels changed since."""
    if checkpoint is not None:
        return store.get(checkpoint)
    is_there = machine is None or any(each.is_trial for each in machine.configuration.entries)
    trial = standing_trial(store.newest_first()) if is_there else None
    if isinstance(trial, Checkpoint):
        return trial
    found, doubts = newest_apply(store, _UNDONE, but_trials=not is_there)
    if doubts:
        command = managed.invocation.command
        hints = [f"list all changes: {command('history')}"]
        if found is not None:
            hints.append(f"undo the newest one that can be read: {command('rollback', found.id)}")
        raise RefusedError(
            f"the newest apply is unknown: {doubts[0].finding.message}",
            hint="\n".join(hints),
        )
    if found is None:
        raise nothing_to_undo(managed)
    return found


def _machine(managed: ManagedRoot) -> Machine | None:
    """Return the machine; None if it cannot be read as it is.

    A configuration that is broken now is a reason to roll back, and must not prevent it.
    """
    try:
        return managed.discover(Phase.READING)
    except SecbootError:
        return None
