"""The two stages that each boot entry has for itself: configured, and installed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.ipl.boot_record import program_of
from secboot.named_tuple import NamedTuple
from secboot.plan.boot_entries import reason_to_leave
from secboot.profile.requirement import Judgement
from secboot.status.stages import EntryResults, Result, Verdict

if TYPE_CHECKING:
    from secboot.formats.bootmap import Program
    from secboot.invocation import Invocation
    from secboot.ipl.boot_record import BootRecord
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry


class NextSteps(NamedTuple):
    """What to do about an entry: the causes that all entries of a machine have in common."""

    not_applied: Finding
    zipl_due: Finding


def next_steps(layout: Layout, invocation: Invocation) -> NextSteps:
    """Return them for a machine, as commands that can be typed as they stand."""
    message = "zipl has not run since the boot files changed"
    return NextSteps(
        Finding(
            "not-applied",
            Severity.NOTE,
            "the boot entry was not changed yet",
            hint=invocation.for_profile("apply"),
        ),
        Finding("zipl-due", Severity.NOTE, message, hint=commit_command(layout, invocation)),
    )


def commit_command(layout: Layout, invocation: Invocation) -> str | None:
    """Return what makes the next IPL use the files; None where nobody is to do that by hand."""
    if not layout.commit:
        return None
    words = " && ".join(shlex.join(command.argv) for command in layout.commit)
    if invocation.root is None:
        return words
    inside = words if len(layout.commit) == 1 else f"sh -c {shlex.quote(words)}"
    return f"chroot {shlex.quote(invocation.root)} {inside}"


def entry_results(
    machine: Machine, record: BootRecord, profile: Profile | None, steps: NextSteps
) -> tuple[EntryResults, ...]:
    """Judge every boot entry, in the order of the configuration."""
    environment = machine.configuration.environment
    return tuple(
        _entry(machine, record, profile, entry, environment, steps)
        for entry in machine.configuration.entries
    )


def _entry(
    machine: Machine,
    record: BootRecord,
    profile: Profile | None,
    entry: BootEntry,
    environment: ZiplEnvironment | None,
    steps: NextSteps,
) -> EntryResults:
    program = _program(machine, record, entry)
    note, judged = "", False
    if profile is not None:
        left = reason_to_leave(profile, machine, entry)
        note, judged = ("", True) if left is None else (left.note, False)
    requirements = profile.requirements if profile is not None and judged else ()
    return EntryResults(
        name=entry.name,
        location=entry.location,
        menu_position=entry.menu_position,
        default=entry.is_default,
        rescue=entry.is_rescue,
        note=note,
        parameters=entry.parmline,
        recorded_parameters=None if program is None else program.parmline,
        configured=tuple(_configured(each, entry, environment, steps) for each in requirements),
        installed=tuple(
            _installed(each, machine, record, entry, program, environment, steps)
            for each in requirements
        ),
    )


def _judge(requirement: Requirement, line: str, environment: ZiplEnvironment | None) -> Judgement:
    """Judge a line as the kernel gets it, at whichever site: one that misses it decides."""
    if environment is None or not variables_of(line):
        return requirement.judge(CommandLine.parse(line))
    common = requirement.judge(CommandLine.parse(environment.expand(line)))
    if not common.met:
        return common
    for site in environment.sites:
        judgement = requirement.judge(CommandLine.parse(environment.expand(line, site)))
        if not judgement.met:
            return Judgement(met=False, reason=f"at site {site}: {judgement.reason}")
    return common


def _program(machine: Machine, record: BootRecord, entry: BootEntry) -> Program | None:
    bootmap = record.bootmap
    installed = next((i for i in machine.configuration.to_install if i.entry == entry), None)
    if bootmap is None or installed is None or installed.skipped:
        return None
    return program_of(bootmap, installed)


def _configured(
    requirement: Requirement,
    entry: BootEntry,
    environment: ZiplEnvironment | None,
    steps: NextSteps,
) -> Result:
    if entry.parmline is None and entry.parmfile is not None:
        return Result(Verdict.UNKNOWN, "its parmfile can't be read")
    judgement = _judge(requirement, entry.parmline or "", environment)
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    return Result(Verdict.MISSING, judgement.reason, (steps.not_applied,))


def _installed(
    requirement: Requirement,
    machine: Machine,
    record: BootRecord,
    entry: BootEntry,
    program: Program | None,
    environment: ZiplEnvironment | None,
    steps: NextSteps,
) -> Result:
    if record.path is None:
        reason = "there is no bootmap: zipl has never run here"
        return Result(Verdict.MISSING, reason, (steps.zipl_due,))
    if record.bootmap is None:
        return _by_times(requirement, record, entry, environment, steps)
    if program is None:
        return _not_in_record(machine, entry, steps)
    judgement = _judge(requirement, program.parmline or "", record.bootmap.environment)
    changed = program.parmline != (entry.parmline or "")
    reason = f"{judgement.reason}; the boot record still has an older line" if changed else ""
    if judgement.met:
        return Result(Verdict.MET, reason or judgement.reason)
    cause = steps.zipl_due if changed else steps.not_applied
    return Result(Verdict.MISSING, reason or judgement.reason, (cause,))


def _not_in_record(machine: Machine, entry: BootEntry, steps: NextSteps) -> Result:
    """An entry that the record does not hold: zipl has to run, or would not install it either."""
    installed = next((i for i in machine.configuration.to_install if i.entry == entry), None)
    if installed is None:
        reason = "zipl does not install this entry: it is neither the default nor in the menu"
        return Result(Verdict.NOT_APPLICABLE, reason)
    if installed.skipped:
        reason = "zipl leaves this optional entry out: a file of it is missing"
        return Result(Verdict.NOT_APPLICABLE, reason)
    reason = "the boot record does not hold this entry"
    return Result(Verdict.MISSING, reason, (steps.zipl_due,))


def _by_times(
    requirement: Requirement,
    record: BootRecord,
    entry: BootEntry,
    environment: ZiplEnvironment | None,
    steps: NextSteps,
) -> Result:
    """The fallback where the record can't be read: only times, and they prove nothing."""
    if record.younger_files:
        return Result(Verdict.MISSING, record.stale or "", (steps.zipl_due,))
    met = _judge(requirement, entry.parmline or "", environment).met
    hint = "no boot file is younger than it, so it probably holds what they say"
    reason = f"{record.unreadable}; {hint}" if met else f"{record.unreadable}"
    cause = Finding(
        "record-unreadable", Severity.NOTE, "the boot record can't be read", hint="run it as root"
    )
    return Result(Verdict.UNKNOWN, reason, (cause,))
