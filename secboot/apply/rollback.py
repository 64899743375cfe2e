"""``secboot rollback``: put the machine back to the state before a checkpoint's change.

A rollback is judged by what it leaves. What was removed since stays away; boot entries that were added
since and have inherited parameters are taken along; and what zipl would refuse is refused beforehand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import ChangeSet, Meanwhile, change_files, problem_key
from secboot.apply.next_default import NextDefault, next_default
from secboot.apply.undoing import (
    entries_since,
    merged_sections,
    reverted_entries,
    undoing_of,
)
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit, Checkpoint
from secboot.checkpoint.rollback import WayBack, way_back
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.undo import newest_apply, standing_trial
from secboot.errors import RefusedError, SecbootError
from secboot.finding import Finding
from secboot.machine.discovery import configuration_after
from secboot.named_tuple import NamedTuple
from secboot.progress import Phase
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Collection

    from secboot.apply.change import ManagedRoot
    from secboot.apply.undoing import Undoing
    from secboot.apply.zipl import ZiplRun
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Trial
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange


_UNDONE = (Action.APPLY, Action.INIT, Action.FIX)
"""What a rollback without an id undoes."""


class Choices(NamedTuple):
    """What the user wants of a rollback.

    With `force` files that somebody changed since are put back too, with `keep` they are left.
    With `leave_new` boot entries that were added since stay as they are.
    """

    force: bool = False
    keep: bool = False
    leave_new: bool = False

    @property
    def conflict(self) -> Conflict | None:
        """What to do with a file that was changed since; None where that was not said."""
        return Conflict.OVERWRITE if self.force else Conflict.KEEP if self.keep else None


class RollbackResult(NamedTuple):
    """What a rollback did.

    `undone` is the checkpoint that was rolled back, None when an unfinished change was
    all there was to end. `files` are the paths that were put back, `checkpoint` the rollback's
    own; both are empty when everything was as before already. `programs` are what writes the
    boot record here, if that is needed. `taken_along` are boot entries that were added since and
    were brought to the state before, too, `left_new` those that were not. `gone` files were
    removed since and stay away, `left` ones were changed since and are as they were. `next` is what
    the next IPL starts by default, None where that is not known. `meanwhile` is what others did to
    the boot files during the rollback. `settings` are the paths of those that were put back. `trial` is
    what the change that was undone had tried, `confirmed` the checkpoint whose trial it had confirmed.
    `is_first` is whether the first configuration was taken away.
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

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl has to run before the next IPL uses the old files."""
        changed = self.files or self.taken_along
        return bool(changed) and self.needs_commit and self.zipl is None and not self.refused


class _Prepared(NamedTuple):
    """The changes of a rollback; `problems` are those that zipl had with the files before the apply.

    `is_first` is whether it takes the first configuration away.
    """

    way: WayBack
    new: tuple[FileChange, ...]
    undoing: Undoing
    problems: tuple[str, ...]
    is_first: bool

    def changes(self, choices: Choices) -> tuple[FileChange, ...]:
        return self.way.changes if choices.leave_new else (*self.way.changes, *self.new)


def roll_back(
    managed: ManagedRoot, checkpoint: str | None, choices: Choices | None = None
) -> RollbackResult:
    """Roll back `checkpoint`, or the newest apply that was not rolled back.

    A change that was cut short is ended first; if it is the one that was named, that is all.
    Raises RefusedError when there is nothing to roll back, when files were changed since and it was
    not said what to do with them, and when zipl would refuse what the rollback leaves.
    """
    choices = choices or Choices()
    store = CheckpointStore.existing(managed.state)
    if store is None:
        raise _nothing(managed)
    store.close()
    if managed.zipl is not None:
        managed.zipl.require_available(managed.root)
    with managed.write_access() as access:
        recovered = managed.recover(access, choices.conflict or Conflict.KEEP)
        if recovered and checkpoint in {None, *(r.checkpoint.id for r in recovered)}:
            return RollbackResult(None, (), None, None, recovered)
        machine = _machine(managed)
        found = _choose(managed, access.store, checkpoint, machine)
        prepared = _prepare(managed, access, found, choices, machine)
        return _roll_back(managed, access, found, choices, machine, prepared)._replace(
            recovered=recovered
        )


def _roll_back(
    managed: ManagedRoot,
    access: WriteAccess,
    found: Checkpoint,
    choices: Choices,
    machine: Machine | None,
    prepared: _Prepared,
) -> RollbackResult:
    changes, way = prepared.changes(choices), _with_settings(managed, found, prepared.way)
    new = tuple(change.path for change in prepared.new)
    result = RollbackResult(
        found.id,
        tuple(change.path for change in way.changes),
        None,
        None,
        (),
        taken_along=() if choices.leave_new else new,
        left_new=new if choices.leave_new else (),
        is_first=prepared.is_first,
        gone=way.gone,
        left=way.left,
        settings=tuple(each.path for each in way.settings),
        trial=found.record.audit.trial,
        confirmed=found.record.audit.confirms,
    )
    if changes or way.settings:
        change_set = ChangeSet(
            changes=changes,
            audit=_audit(managed, found, machine, {change.path for change in changes}),
            machine=machine,
            needs_commit=any(_needs_commit(managed, found, machine, c) for c in changes),
            settings=way.settings,
        )
        done = change_files(managed, access, change_set)
        result = result._replace(
            checkpoint=done.checkpoint,
            zipl=done.zipl,
            needs_commit=change_set.needs_commit,
            programs=tuple(program.argv for program in managed.layout.commit),
            meanwhile=done.meanwhile,
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
    return result._replace(next=next_default(managed.layout, machine, prepared.undoing, ran=ran))


def _with_settings(managed: ManagedRoot, found: Checkpoint, way: WayBack) -> WayBack:
    """Keep a reboot from the boot entry of a trial that vanishes, whoever told it to start that."""
    trial = found.record.audit.trial
    if trial is None or way.settings or not managed.is_running:
        return way
    from secboot.apply.trial_setting import setting_to_take_back  # noqa: PLC0415 - for a trial alone
    from secboot.running.firmware import read_reipl  # noqa: PLC0415

    setting = setting_to_take_back(found, trial, read_reipl(managed.root))
    if setting is None:
        return way
    left = tuple(path for path in way.left if path != setting.path)
    return way._replace(settings=(setting,), left=left)


def _needs_commit(
    managed: ManagedRoot, found: Checkpoint, machine: Machine | None, change: FileChange
) -> bool:
    """A parmfile that only the builder of an image reads is in no boot record."""
    is_first = found.record.audit.action is Action.INIT
    if is_first or (machine is not None and machine.awaits_kernel):
        return False
    if change.path == found.record.audit.parmfile:
        parmfiles = () if machine is None else machine.parmfiles.values()
        return any(file.real_path == change.real_path for file in parmfiles)
    return managed.layout.needs_commit(change.path)


def _prepare(
    managed: ManagedRoot,
    access: WriteAccess,
    found: Checkpoint,
    choices: Choices,
    machine: Machine | None,
) -> _Prepared:
    """Return the changes that lead back, and make sure that zipl would accept what they leave."""
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
    audit = found.record.audit
    prepared = _Prepared(way(), new, undoing, audit.problems, audit.action is Action.INIT)
    refusal = _refusal(managed, machine, prepared, choices)
    if refusal is not None and choices.force and prepared.way.gone:
        # What is missing may be what zipl needs.
        prepared = prepared._replace(way=way(bring_back=True))
        refusal = _refusal(managed, machine, prepared, choices)
    if refusal is not None:
        raise _refused(managed, found, refusal)
    return prepared


def _refusal(
    managed: ManagedRoot, machine: Machine | None, prepared: _Prepared, choices: Choices
) -> Finding | SecbootError | None:
    """Return why zipl would refuse the files after these changes; None if it would not.

    Where zipl is not to run, only what is new counts, now and since the apply: a tree may have no
    kernels yet.
    """
    changes = prepared.changes(choices)
    if managed.layout.sources.generated or not (changes or prepared.way.gone):
        return None
    if prepared.is_first or (machine is not None and machine.awaits_kernel):
        return None  # there is nothing, or nothing any more, that zipl could refuse
    contents = {}
    for change in changes:
        contents[change.path] = contents[change.real_path] = change.after
    try:
        after = configuration_after(
            managed.root, managed.layout.sources, managed.environment, contents
        )
    except SecbootError as error:
        told = managed.zipl is not None or machine is not None or prepared.way.gone
        return error if told else None
    if managed.zipl is None and machine is None:
        return None
    known = set()
    if managed.zipl is None and machine is not None:
        known = {*map(problem_key, machine.configuration.problems), *prepared.problems}
    return next((p for p in after.problems if problem_key(p) not in known), None)


def _refused(
    managed: ManagedRoot, found: Checkpoint, problem: Finding | SecbootError
) -> RefusedError:
    command = managed.invocation.command
    hint = [
        "nothing was changed",
        f"see what the change was: {command('history', found.id)}",
        f"see what zipl says now: {command('check')}",
        "then correct that, or apply another profile instead of going back",
    ]
    if isinstance(problem, Finding) and problem_key(problem) in found.record.audit.problems:
        again = command("rollback", found.id, "--no-zipl")
        hint[2:] = [f"zipl refused them before that, too; to have them back all the same: {again}"]
    return RefusedError(
        f"zipl would refuse the boot files as this rollback leaves them: {problem.message}",
        location=problem.location,
        hint="\n".join([*([problem.hint] if problem.hint else []), *hint]),
    )


def _choose(
    managed: ManagedRoot, store: CheckpointStore, checkpoint: str | None, machine: Machine | None
) -> Checkpoint:
    """A trial that stands comes first, even if a new kernel's entries were changed since."""
    if checkpoint is not None:
        return store.get(checkpoint)
    is_there = machine is None or any(each.is_trial for each in machine.configuration.entries)
    trial = standing_trial(store.newest_first()) if is_there else None
    if isinstance(trial, Checkpoint):
        return trial
    found, doubts = newest_apply(store, _UNDONE, but_trials=not is_there)
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
        f"there is nothing to roll back: {managed.state.shown} holds no change that was not"
        " rolled back already",
        hint=f"`{managed.invocation.command('history')}` shows what was done here",
    )


def _machine(managed: ManagedRoot) -> Machine | None:
    """Return the machine, if it can be read as it is.

    A configuration that is broken now is a reason to roll back, and no hindrance.
    """
    try:
        return managed.discover(Phase.READING)
    except SecbootError:
        return None


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
