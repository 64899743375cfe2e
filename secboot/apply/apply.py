"""``secboot apply``: make the machine what a profile, or a saved plan, asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import (
    Changed,
    ChangeSet,
    ManagedRoot,
    Meanwhile,
    change_files,
    follow_plan,
    problem_key,
)
from secboot.apply.zipl import ZiplRun, words_of
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.rollback_report import state_when_done, state_when_zipl_failed
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.undo import newest_profile
from secboot.errors import Ledger, MachineState, RefusedError, StateKind, UsageError
from secboot.formats.text import decoded
from secboot.machine.profile_files import is_name, read_profile
from secboot.named_tuple import NamedTuple
from secboot.plan.plan import EntryStatus
from secboot.profile.declared import DECLARED, LIMIT, DeclaredProfile
from secboot.progress import Phase
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Trial
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.checkpoint.settings import Setting
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.invocation import Invocation
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile
    from secboot.system.root import Root


_DEPLOYED = "The new deployment was made and stands; only its report is missing."


class ApplyResult(NamedTuple):
    """What an apply did: the plan that it followed, and how it was committed.

    `checkpoint` is None when no file had to change. `zipl` is None when it did not run. `meanwhile`
    is what others did to the boot files during the change.
    """

    plan: Plan
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]
    meanwhile: Meanwhile = Meanwhile()

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl has to run before the next IPL can use what changed."""
        return bool(self.plan.commands) and self.zipl is None

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """What writes the boot record here."""
        return tuple(command.argv for command in self.plan.commands)


def apply_plan(
    managed: ManagedRoot,
    make_plan: Callable[[Machine], Plan],
    agree: Callable[[Plan], None] = lambda _: None,
    begin: Callable[[Plan], None] = lambda _: None,
    ask: Callable[[Plan], None] = lambda _: None,
) -> ApplyResult:
    """Apply what `make_plan` asks for on this machine.

    The plan is made once without the lock, so that a machine which is as it should be is not
    written to at all, and again under the lock. `agree` raises where a plan is not the one that was
    agreed to. `ask` gets the first plan if there is something to do, before the lock is taken, and
    `begin` the plan that is about to be followed; whatever they raise stops it.
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
    """Return `make_plan`, with the last plan given again for a machine that is the same.

    A plan depends on nothing but the machine, and comparing two of them takes far less time.
    """
    last: tuple[Machine, Plan] | None = None

    def plan(machine: Machine) -> Plan:
        nonlocal last
        known = last[1] if last is not None and last[0] == machine else make_plan(machine)
        # The machine that was read last is kept, so that the one before it can go.
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
    """Run the command of an ostree system that does what a profile asks; None if there is none.

    Where there are several, the next one is tried when one fails: a bootc can be too old for it. A
    command makes a new deployment and leaves the present one as it is, so that there is nothing to
    save here: ``rpm-ostree rollback`` or ``bootc rollback`` is the way back.

    `agree`, `begin` and `ask` are as for `apply_plan`. Raises RefusedError for the tree of another machine,
    whose deployments are not managed from here, and when the command fails.
    """
    plan = make_plan(managed.discover())
    agree(plan)
    ways = [step.argv for step in plan.steps if step.argv]
    if plan.refusal is None or not ways:
        return None
    if managed.zipl is None or managed.zipl.chroot is not None:
        raise RefusedError(
            f"{ways[0][0]} manages the deployments of the running system only",
            hint="leave out --run-kargs to see what an image needs",
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


def active_profile(root: Root, state: StateDirectory, invocation: Invocation) -> Profile | None:
    """Return the profile that new boot entries are kept true to; None when there is none.

    It is what /etc/secboot/profile names; without that file, that of the newest apply of one which
    was not rolled back. The former is an administrator's word and is taken as it is. The latter is only taken
    while the profile still has the text that was applied: nothing else was ever agreed to.

    Raises RefusedError when it can't be told any more, UsageError for a file that does not name
    one profile, and what reading the profile raises.
    """
    declared = _declared(root)
    if declared is not None:
        return read_profile(declared, root)
    store = CheckpointStore.existing(state)
    if store is None:
        return None
    with store:
        applied, doubts = newest_profile(store)
    if doubts:
        raise RefusedError(
            f"it is not known which profile is active: {doubts[0].finding.message}",
            hint=f"name the profile in {root.shown(DECLARED)}, or apply it again",
        )
    if applied is None or applied.record.audit.profile is None:
        return None
    name, digest = applied.record.audit.profile, applied.record.audit.profile_digest
    try:
        # A path would be one of this machine's, and it is a record that says so.
        profile = read_profile(name, root) if is_name(name) else None
    except UsageError:
        profile = None
    if profile is None:
        raise RefusedError(
            f"the profile '{visible(name)}', applied as checkpoint {applied.id}, is not found by"
            " its name",
            hint=f"put it into {root.shown('/etc/secboot/profiles')}, or name another one in"
            f" {root.shown(DECLARED)}",
        )
    if profile.digest != digest:
        raise RefusedError(
            f"the profile '{name}' was changed since it was applied as checkpoint {applied.id}",
            hint=f"look at it with `{invocation.command('plan', name)}`, then apply it",
        )
    return profile


def _apply(
    managed: ManagedRoot,
    access: WriteAccess,
    machine: Machine,
    plan: Plan,
    again: Callable[[Machine], Plan],
) -> Changed:
    due = {command.argv for command in plan.commands}
    if plan.profile is None:
        # What is put back is no configuration: there is nothing to run zipl on.
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
    """Compare each entry's line, as it was read afterwards, with what was planned.

    Of a trial the boot record is read, too, before a reboot is told to start it. Entries that another program generates are judged by planning `again`, if that has run. One whose
    file has gone meanwhile needs no judgement.
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
        # Whether the boot record is right is for the programs to say, which have just succeeded.
        files = machine._replace(bootmap=machine.bootmap.unread())
        wrong = [" ".join(command.argv) for command in again(files).commands]
    if not wrong and machine.awaits_kernel:
        wrong = [file.path for file in again(machine).files]
    if plan.trial is not None and not wrong:
        from secboot.apply.trial_setting import require_numbered  # noqa: PLC0415 - for a trial alone

        ran = managed.zipl is not None
        require_numbered(plan.trial, managed.layout, machine, ran=ran)
    if wrong:
        raise RefusedError(
            f"read back, the files do not say what was planned for {', '.join(map(repr, wrong))}",
            hint="something else works on the boot files; see"
            f" `{managed.invocation.command('history')}`",
        )


def _line(text: str | None) -> str | None:
    """A line that is added to a file with carriage returns ends in one, too."""
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
    from secboot.apply.trial_setting import settings_of  # noqa: PLC0415 - for a trial alone

    return settings_of(plan)


def _trial(managed: ManagedRoot, plan: Plan) -> Trial | None:
    if plan.trial is None:
        return None
    from secboot.apply.trial_setting import trial_record  # noqa: PLC0415 - for a trial alone

    return trial_record(plan.trial, managed)


def _declared(root: Root) -> str | None:
    if not root.exists(DECLARED):
        return None
    text = decoded(root.read_bytes(DECLARED, LIMIT))
    return DeclaredProfile.parse(text).name(root.shown(DECLARED))
