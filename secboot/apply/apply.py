"""``secboot apply``: apply a profile or a saved plan to a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import (
    Changed,
    ChangeSet,
    ManagedRoot,
    Meanwhile,
    change_files,
    problem_key,
)
from secboot.apply.following import follow_plan
from secboot.apply.zipl import ZiplRun, words_of
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.rollback_report import state_when_done, state_when_zipl_failed
from secboot.errors import Ledger, MachineState, RefusedError, StateKind
from secboot.named_tuple import NamedTuple
from secboot.plan.plan import EntryStatus
from secboot.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Trial
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.checkpoint.settings import Setting
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan


_DEPLOYED = "The new deployment was made and stands; only its report is missing."


class ApplyResult(NamedTuple):
    """What an apply did: the plan that it followed, and how the boot record was written.

    `checkpoint` is None if no file had to change. `zipl` is None if it did not run. `meanwhile` is what
    other programs did to the boot files during the change.
    """

    plan: Plan
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]
    meanwhile: Meanwhile = Meanwhile()

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl must run before the next IPL can use the change."""
        return bool(self.plan.commands) and self.zipl is None

    @property
    def undoing(self) -> tuple[str, ...]:
        """The options that `rollback` needs to undo it: none, because zipl accepted the old files."""
        return ()

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """The programs that write the boot record here."""
        return tuple(command.argv for command in self.plan.commands)


def apply_plan(
    managed: ManagedRoot,
    make_plan: Callable[[Machine], Plan],
    agree: Callable[[Plan], None] = lambda _: None,
    begin: Callable[[Plan], None] = lambda _: None,
    ask: Callable[[Plan], None] = lambda _: None,
) -> ApplyResult:
    """Apply the plan that `make_plan` makes for this machine.

    The plan is made once without the lock, so that nothing is written to a machine that needs no change,
    and again under the lock. `agree` raises if a plan differs from the one that was agreed to. `ask` gets
    the first plan if there is something to do, before the lock is taken, and `begin` gets the plan that
    is about to be followed; whatever they raise stops the apply.
    """
    make_plan = _remembering(make_plan)
    plan, done, recovered = follow_plan(
        managed,
        make_plan,
        lambda access, machine, plan: _apply(managed, access, machine, plan, make_plan),
        agree,
        begin,
        ask,
    )
    return ApplyResult(plan, done.checkpoint, done.zipl, recovered, done.meanwhile)


def _remembering(make_plan: Callable[[Machine], Plan]) -> Callable[[Machine], Plan]:
    """Return `make_plan`, which returns its last plan again if the machine is the same.

    A plan depends only on the machine, and comparing two machines is much faster than planning.
    """
    last: tuple[Machine, Plan] | None = None

    def plan(machine: Machine) -> Plan:
        nonlocal last
        known = last[1] if last is not None and last[0] == machine else make_plan(machine)
        # Only the machine that was read last is kept, so that the previous one can be freed.
        last = (machine, known)
        return known

    return plan


def run_deployment_command(
    managed: ManagedRoot,
    make_plan: Callable[[Machine], Plan],
    agree: Callable[[Plan], None] = lambda _: None,
    begin: Callable[[Plan], None] = lambda _: None,
    ask: Callable[[Plan], None] = lambda _: None,
) -> ApplyResult | None:
    """Run the command that sets what a profile requires on an ostree system; None if there is none.

    If there are several commands and one fails, the next is tried: bootc may be too old. The command makes
    a new deployment and leaves the current one as it is, so there is nothing to save: ``rpm-ostree
    rollback`` or ``bootc rollback`` undoes it.

    `agree`, `begin` and `ask` are as for `apply_plan`. Raises RefusedError for the tree of another
    machine, whose deployments cannot be managed from here, and if the command fails.
    """
    plan = make_plan(managed.discover())
    agree(plan)
    ways = [step.argv for step in plan.steps if step.argv]
    if plan.refusal is None or not ways:
        return None
    if managed.zipl is None or managed.zipl.chroot is not None:
        raise RefusedError(
            f"{ways[0][0]} manages only the deployments of the running system",
            hint="omit --run-kargs to see what an image needs",
        )
    ask(plan)
    begin(plan)
    failed = []
    ledger = managed.ledger or Ledger()
    for argv in ways:
        managed.progress.report(Phase.RUNNING, program=argv[0])
        ledger.expect(_deploying(argv[0]))
        done = managed.zipl.runner.run(argv, timeout=managed.zipl.timeout)
        if done.succeeded:
            ledger.settle(MachineState(StateKind.CHANGED, _DEPLOYED))
            return ApplyResult(plan, None, ZiplRun(done.argv, done.duration, (argv[0],)), ())
        failed.append(f"{argv[0]} failed: {words_of(done)}")
        if done.status > 0:
            ledger.reset()
    raise RefusedError("; ".join(failed))


def _deploying(program: str) -> MachineState:
    return MachineState(
        StateKind.UNKNOWN,
        f"{program} may have made a new deployment: see `{program} status` before you run it again.",
    )


def _apply(
    managed: ManagedRoot,
    access: WriteAccess,
    machine: Machine,
    plan: Plan,
    again: Callable[[Machine], Plan],
) -> Changed:
    due = {command.argv for command in plan.commands}
    if plan.profile is None:
        # Without a profile it is the first configuration, and a rollback leaves nothing to run zipl on.
        access = access._replace(commit=None)
    if not plan.files:
        if not due or managed.zipl is None:
            return Changed(None, None)
        access.ledger.expect(state_when_zipl_failed(access, "No file was changed"))
        run = managed.zipl.install(access.lock.inherited, due)
        access.ledger.settle(state_when_done(access, pending=False))
        return Changed(None, run)
    change_set = ChangeSet(
        changes=plan.files,
        audit=_audit(managed, plan, machine),
        machine=machine,
        verify=lambda read: _verify(managed, read, plan, again),
        needs_commit=bool(due),
        settings=_settings(plan),
    )
    return change_files(managed, access, change_set)


def _verify(
    managed: ManagedRoot, machine: Machine, plan: Plan, again: Callable[[Machine], Plan]
) -> None:
    """Compare the line of each boot entry, as read afterwards, with the plan.

    For a trial the boot record is also read, before a reboot is set to start it. Entries that another
    program generates are checked by planning `again`, if that program has run. An entry whose file was
    removed meanwhile needs no check.
    """
    there = {file.path for file in machine.files}
    found = {(e.path, e.name): _line(e.parmline) for e in machine.configuration.entries}
    wrong = [
        entry.name
        for entry in plan.entries
        if entry.status not in {EntryStatus.GENERATED, EntryStatus.REMOVE}
        and entry.location.path in there
        and found.get((entry.location.path, entry.name)) != _line(entry.line_after)
    ]
    present = {(e.path, e.name, e.is_default) for e in machine.configuration.entries}
    added = plan.with_status(EntryStatus.ADD)
    wrong += [e.name for e in added if (e.location.path, e.name, e.default) not in present]
    removed = plan.with_status(EntryStatus.REMOVE)
    wrong += [each.name for each in removed if (each.location.path, each.name) in found]
    if not wrong and machine.sources.generated and managed.zipl is not None:
        # The programs have just succeeded, so the boot record is not checked again.
        files = machine._replace(bootmap=machine.bootmap.unread())
        wrong = [" ".join(command.argv) for command in again(files).commands]
    if not wrong and machine.awaits_kernel:
        wrong = [file.path for file in again(machine).files]
    if plan.trial is not None and not wrong:
        from secboot.apply.trial_setting import require_numbered  # noqa: PLC0415 - only for a trial

        ran = managed.zipl is not None
        require_numbered(plan.trial, managed.layout, machine, ran=ran)
    if wrong:
        raise RefusedError(
            f"after writing, the files differ from the plan for {', '.join(map(repr, wrong))}",
            hint="another program is changing the boot files; see"
            f" `{managed.invocation.command('history')}`",
        )


def _line(text: str | None) -> str | None:
    """Return the line without the carriage return of a file with CRLF line ends."""
    return None if text is None else text.removesuffix("\r")


def _audit(managed: ManagedRoot, plan: Plan, machine: Machine) -> Audit:
    changed = {file.path for file in plan.files}
    words = managed.invocation.words
    return Audit(
        action=Action.INIT if plan.profile is None else Action.APPLY,
        command=managed.command,
        who=Actor.current(),
        started=now(),
        version=__version__,
        profile=None if plan.profile is None or words else plan.profile.name,
        profile_digest=None if plan.profile is None or words else plan.profile.digest,
        zipl=plan.zipl_version if managed.zipl is not None else None,
        left_alone=tuple(e.path for e in machine.configuration.bls if e.path not in changed),
        problems=tuple(map(problem_key, machine.configuration.problems)),
        confirms=None if plan.confirms is None else plan.confirms.checkpoint,
        trial=_trial(managed, plan),
        words=words,
        parmfile=None
        if managed.layout.sources.image is None
        else managed.layout.sources.image.parmfile,
    )


def _settings(plan: Plan) -> tuple[Setting, ...]:
    if plan.trial is None and plan.confirms is None:
        return ()
    from secboot.apply.trial_setting import settings_of  # noqa: PLC0415 - only for a trial

    return settings_of(plan)


def _trial(managed: ManagedRoot, plan: Plan) -> Trial | None:
    if plan.trial is None:
        return None
    from secboot.apply.trial_setting import trial_record  # noqa: PLC0415 - only for a trial

    return trial_record(plan.trial, managed)
