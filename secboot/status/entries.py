"""The two stages that each boot entry has for itself: configured, and installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.ipl.boot_record import program_of
from secboot.plan.boot_entries import reason_to_leave
from secboot.profile.requirement import Judgement
from secboot.status.model import Advice, EntryResults, Result, Stage, Verdict

if TYPE_CHECKING:
    from secboot.formats.bootmap import Program
    from secboot.ipl.boot_record import BootRecord
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry

RUN_ZIPL = Advice("zipl has not run since the boot files changed", "run: zipl")
APPLY = Advice("the boot entry was not changed yet", "secboot apply PROFILE")


def entry_results(
    machine: Machine, record: BootRecord, profile: Profile | None
) -> tuple[EntryResults, ...]:
    """Judge every boot entry, in the order of the configuration."""
    environment = machine.configuration.environment
    return tuple(
        _entry(machine, record, profile, entry, environment)
        for entry in machine.configuration.entries
    )


def _entry(
    machine: Machine,
    record: BootRecord,
    profile: Profile | None,
    entry: BootEntry,
    environment: ZiplEnvironment | None,
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
        number=entry.menu_position,
        is_default=entry.is_default,
        is_rescue=entry.is_rescue,
        note=note,
        parmline=entry.parmline,
        recorded=None if program is None else program.parmline,
        configured=tuple(_configured(each, entry, environment) for each in requirements),
        installed=tuple(
            _installed(each, machine, record, entry, program, environment) for each in requirements
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
    requirement: Requirement, entry: BootEntry, environment: ZiplEnvironment | None
) -> Result:
    if entry.parmline is None and entry.parmfile is not None:
        return Result(Stage.CONFIGURED, Verdict.UNKNOWN, "its parmfile can't be read")
    judgement = _judge(requirement, entry.parmline or "", environment)
    if judgement.met:
        return Result(Stage.CONFIGURED, Verdict.MET, judgement.reason)
    return Result(Stage.CONFIGURED, Verdict.MISSING, judgement.reason, (APPLY,))


def _installed(
    requirement: Requirement,
    machine: Machine,
    record: BootRecord,
    entry: BootEntry,
    program: Program | None,
    environment: ZiplEnvironment | None,
) -> Result:
    if record.path is None:
        reason = "there is no bootmap: zipl has never run here"
        return Result(Stage.INSTALLED, Verdict.MISSING, reason, (RUN_ZIPL,))
    if record.bootmap is None:
        return _by_times(requirement, record, entry, environment)
    if program is None:
        return _not_in_record(machine, entry)
    judgement = _judge(requirement, program.parmline or "", record.bootmap.environment)
    changed = program.parmline != (entry.parmline or "")
    reason = f"{judgement.reason}; the boot record still has an older line" if changed else ""
    if judgement.met:
        return Result(Stage.INSTALLED, Verdict.MET, reason or judgement.reason)
    advice = RUN_ZIPL if changed else APPLY
    return Result(Stage.INSTALLED, Verdict.MISSING, reason or judgement.reason, (advice,))


def _not_in_record(machine: Machine, entry: BootEntry) -> Result:
    """An entry that the record does not hold: zipl has to run, or would not install it either."""
    installed = next((i for i in machine.configuration.to_install if i.entry == entry), None)
    if installed is None:
        reason = "zipl does not install this entry: it is neither the default nor in the menu"
        return Result(Stage.INSTALLED, Verdict.NOT_APPLICABLE, reason)
    if installed.skipped:
        reason = "zipl leaves this optional entry out: a file of it is missing"
        return Result(Stage.INSTALLED, Verdict.NOT_APPLICABLE, reason)
    reason = "the boot record does not hold this entry"
    return Result(Stage.INSTALLED, Verdict.MISSING, reason, (RUN_ZIPL,))


def _by_times(
    requirement: Requirement,
    record: BootRecord,
    entry: BootEntry,
    environment: ZiplEnvironment | None,
) -> Result:
    """The fallback where the record can't be read: only times, and they prove nothing."""
    if record.younger_files:
        return Result(Stage.INSTALLED, Verdict.MISSING, record.stale or "", (RUN_ZIPL,))
    met = _judge(requirement, entry.parmline or "", environment).met
    hint = "no boot file is younger than it, so it probably holds what they say"
    reason = f"{record.unreadable}; {hint}" if met else f"{record.unreadable}"
    advice = (Advice("the boot record can't be read", "run it as root"),)
    return Result(Stage.INSTALLED, Verdict.UNKNOWN, reason, advice)
