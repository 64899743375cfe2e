"""``secboot check --fix``: repair the boot files, through the same transaction as an apply."""

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
from secboot.checkpoint.journal import now
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.errors import RefusedError
from secboot.finding import Severity
from secboot.named_tuple import NamedTuple
from secboot.progress import Phase
from secboot.repair.repair_plan import RepairPlan, plan_repairs
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.apply.zipl import ZiplRun
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.machine.discovery import Machine


class RepairResult(NamedTuple):
    """What was repaired, and how the boot record was written, as for an apply."""

    plan: RepairPlan
    checkpoint: str | None
    zipl: ZiplRun | None
    recovered: tuple[RecoveryReport, ...]
    meanwhile: Meanwhile = Meanwhile()

    @property
    def zipl_pending(self) -> bool:
        """Whether zipl must run before the next IPL can use the repair."""
        return bool(self.plan.commands) and self.zipl is None

    @property
    def undoing(self) -> tuple[str, ...]:
        """The options that `rollback` needs where zipl would run: it would refuse the old files again."""
        found = [each for repair in self.plan.repairs for each in repair.findings]
        return ("--no-zipl",) if any(e.severity is Severity.ERROR for e in found) else ()

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """The programs that write the boot record here."""
        return tuple(command.argv for command in self.plan.commands)


def repair_boot_files(
    managed: ManagedRoot, begin: Callable[[RepairPlan], None] = lambda _: None
) -> RepairResult:
    """Repair what zipl refuses or misreads, and run zipl.

    `begin` gets the plan that is about to be followed. Raises RefusedError if something would be left
    that zipl refuses: then nothing is written.
    """

    def make(machine: Machine) -> RepairPlan:
        return plan_repairs(
            machine,
            managed.layout,
            lambda contents: managed.discover(Phase.INTERPRETING, contents),
            with_zipl=managed.zipl is not None,
        )

    plan, done, recovered = follow_plan(
        managed,
        make,
        lambda access, machine, plan: _follow(managed, access, machine, plan),
        begin=begin,
    )
    return RepairResult(plan, done.checkpoint, done.zipl, recovered, done.meanwhile)


def _follow(
    managed: ManagedRoot, access: WriteAccess, machine: Machine, plan: RepairPlan
) -> Changed:
    if not plan.files:
        return Changed(None, None)
    change_set = ChangeSet(
        changes=plan.files,
        audit=_audit(managed, machine, plan),
        machine=machine,
        verify=lambda read: _verify(managed, read, plan),
        needs_commit=bool(plan.commands),
    )
    return change_files(managed, access, change_set)


def _verify(managed: ManagedRoot, machine: Machine, plan: RepairPlan) -> None:
    """Make sure that zipl accepts what was written, and reads the lines that were planned."""
    there = {file.path for file in machine.files}
    found = {(e.path, e.name): e.parmline for e in machine.configuration.entries}
    wrong = [
        entry.name
        for entry in plan.entries
        if entry.location.path in there
        and found.get((entry.location.path, entry.name)) != entry.after
    ]
    known = ABOUT_OTHER_FILES if managed.zipl is None else frozenset()
    refused = [each for each in machine.configuration.problems if each.code not in known]
    if wrong or refused:
        what = refused[0].message if refused else ", ".join(map(repr, wrong))
        raise RefusedError(
            f"after writing, the files differ from the plan: {what}",
            hint="another program is changing the boot files; see"
            f" `{managed.invocation.command('history')}`",
        )


def _audit(managed: ManagedRoot, machine: Machine, plan: RepairPlan) -> Audit:
    changed = {file.path for file in plan.files}
    return Audit(
        action=Action.FIX,
        command=managed.command,
        who=Actor.current(),
        started=now(),
        version=__version__,
        zipl=plan.zipl_version if managed.zipl is not None else None,
        left_alone=tuple(e.path for e in machine.configuration.bls if e.path not in changed),
        problems=tuple(map(problem_key, machine.configuration.problems)),
    )
