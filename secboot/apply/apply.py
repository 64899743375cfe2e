"""``secboot apply``: make the machine what a profile, or a saved plan, asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot import __version__
from secboot.apply.change import Order, change_files
from secboot.checkpoint.access import write_access
from secboot.checkpoint.files import Conflict
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.recovery import RecoveryReport, recover, unfinished
from secboot.checkpoint.store import CheckpointStore
from secboot.digest import digest
from secboot.errors import RefusedError
from secboot.invocation import PLAIN, Invocation
from secboot.machine.discovery import discover
from secboot.named_tuple import NamedTuple
from secboot.plan.plan import EntryStatus
from secboot.progress import UNWATCHED, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from secboot.apply.zipl import Zipl, ZiplRun
    from secboot.checkpoint.access import Commit, WriteAccess
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.progress import Progress
    from secboot.system.root import Root


@dataclass(frozen=True, slots=True)
class Target:
    """Where a flow works and with what; `zipl` None leaves the boot record for later.

    `environment` is as for `secboot.machine.discovery.discover`, `command` the words that the
    user typed, `invocation` what of them a next command shares, `notice` tells the user a sentence while the work goes on. `log` gets the
    checkpoint of each change that has ended, for the system's log. `progress` is told what is being done.

    The layout is found once a command: no program that works on boot files meanwhile turns one
    distribution into another.
    """

    root: Root
    state: StateDirectory
    zipl: Zipl | None
    layout: Layout
    environment: Mapping[str, str] | None
    command: tuple[str, ...]
    notice: Callable[[str], None]
    log: Callable[[Checkpoint], None] = lambda _: None
    invocation: Invocation = PLAIN
    progress: Progress = UNWATCHED

    @property
    def commit(self) -> Commit | None:
        """What writes the boot record when a change is rolled back."""
        return None if self.zipl is None else self.zipl.commit

    def discover(self, phase: Phase = Phase.READING) -> Machine:
        """Read the machine as it is now."""
        return discover(self.root, self.layout.sources, self.environment, self.progress, phase)

    def recover(
        self, access: WriteAccess, conflict: Conflict = Conflict.REFUSE
    ) -> tuple[RecoveryReport, ...]:
        """Roll back what is unfinished (`recover`), and log it."""
        recovered = recover(access, conflict)
        for report in recovered:
            self.log(access.store.get(report.checkpoint.id))
        return recovered

    def write_access(self) -> AbstractContextManager[WriteAccess]:
        """Take the lock and what else it takes to change files (`write_access`)."""
        return write_access(
            self.root,
            self.state,
            commit=self.commit,
            notice=self.notice,
            progress=self.progress,
        )


class ApplyResult(NamedTuple):
    """What an apply did: the plan that it followed, and how it was committed.

    `checkpoint` is None when no file had to change. `zipl` is None when it did not run.
    """

    plan: Plan
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl has to run before the next IPL can use what changed."""
        return bool(self.plan.commands) and self.zipl is None

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """What writes the boot record here."""
        return tuple(command.argv for command in self.plan.commands)


def apply_plan(
    target: Target,
    make_plan: Callable[[Machine], Plan],
    saved: Plan | None = None,
    show: Callable[[Plan], None] = lambda _: None,
) -> ApplyResult:
    """Apply what `make_plan` asks for on this machine, or a plan that was `saved` before.

    The plan is made once without the lock, so that a machine which is as it should be is not
    written to at all, and anew under the lock. A saved plan is refused when anything that it was
    made from is different by now. `show` gets the plan that is about to be followed.
    """
    make_plan = _remembering(make_plan)
    first = saved if saved is not None else make_plan(target.discover())
    first.require_applicable()
    due = first.files or (first.commands and target.zipl is not None)
    if not due and not _has_unfinished(target):
        if saved is not None:
            require_unchanged(saved, target.discover())
        return ApplyResult(first, None, None, ())
    if target.zipl is not None:
        target.zipl.require_available(target.root)
    with target.write_access() as access:
        recovered = target.recover(access)
        machine = target.discover(Phase.READING_AGAIN)
        if saved is not None:
            require_unchanged(saved, machine)
        plan = saved if saved is not None else make_plan(machine)
        plan.require_applicable()
        show(plan)
        again = make_plan if saved is None else None
        checkpoint, run = _apply(target, access, machine, plan, again)
        return ApplyResult(plan, checkpoint, run, recovered)


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


def require_unchanged(plan: Plan, machine: Machine) -> None:
    """Raise RefusedError when the files are not those that the plan was made from.

    A boot entry that came or went since counts too: the plan knows nothing of it.
    """
    planned = {file.path: file.digest for file in plan.inputs}
    found = {file.path: digest(file.data) for file in machine.files}
    if planned == found:
        return
    changed = sorted(
        path for path in planned.keys() | found.keys() if planned.get(path) != found.get(path)
    )
    raise RefusedError(
        f"changed since the plan was made: {', '.join(changed)}",
        hint="nothing was written; make a new plan",
    )


def _has_unfinished(target: Target) -> bool:
    store = CheckpointStore.existing(target.state)
    if store is None:
        return False
    with store:
        return unfinished(store) is not None


def _apply(
    target: Target,
    access: WriteAccess,
    machine: Machine,
    plan: Plan,
    again: Callable[[Machine], Plan] | None,
) -> tuple[str | None, ZiplRun | None]:
    due = {command.argv for command in plan.commands}
    if not plan.files:
        if not due or target.zipl is None:
            return None, None
        return None, target.zipl.install(access.lock.inherited, due)
    order = Order(
        changes=plan.files,
        audit=_audit(target, plan),
        machine=machine,
        verify=lambda: _verify(target, plan, again),
        needs_commit=bool(due),
    )
    done = change_files(access, order, target.zipl, target.log)
    return done.checkpoint, done.zipl


def _verify(target: Target, plan: Plan, again: Callable[[Machine], Plan] | None) -> None:
    """Read everything again and compare each entry's line with what was planned.

    Entries that another program generates are judged by planning `again`, if that has run.
    """
    machine = target.discover(Phase.READING_BACK)
    found = {(e.path, e.name): _line(e.parmline) for e in machine.configuration.entries}
    wrong = [
        entry.name
        for entry in plan.entries
        if entry.status is not EntryStatus.GENERATED
        and found.get((entry.location.path, entry.name)) != _line(entry.line_after)
    ]
    if not wrong and again is not None and machine.sources.generated and target.zipl is not None:
        wrong = [" ".join(command.argv) for command in again(machine).commands]
    if wrong:
        raise RefusedError(
            f"read back, the files do not say what was planned for {', '.join(map(repr, wrong))}",
            hint="something else works on the boot files; see"
            f" `{target.invocation.command('history')}`",
        )


def _line(text: str | None) -> str | None:
    """A line that is added to a file with carriage returns ends in one, too."""
    return None if text is None else text.removesuffix("\r")


def _audit(target: Target, plan: Plan) -> Audit:
    return Audit(
        action=Action.APPLY,
        command=target.command,
        who=Actor.current(),
        started=now(),
        version=__version__,
        profile=plan.profile.name,
        profile_digest=plan.profile.digest,
        zipl=plan.zipl_version if target.zipl is not None else None,
    )
