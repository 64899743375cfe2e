"""Judge how far everything has got: each boot entry, a new kernel, and all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.ipl.boot_record import program_of
from secboot.lines.stores import stores_of
from secboot.named_tuple import NamedTuple
from secboot.plan.boot_entries import reason_to_leave
from secboot.plan.plan import ProfileReference
from secboot.profile.requirement import Judgement
from secboot.status import running_system
from secboot.status.next_reboot import NextReboot, next_reboot
from secboot.status.stages import (
    EntryResults,
    RequirementResults,
    Result,
    Stage,
    Status,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.formats.bootmap import Program
    from secboot.layout.layout import NewKernel
    from secboot.profile.requirement import Requirement
    from secboot.status.stages import Evidence, LineOrigin
    from secboot.zipl.entry import BootEntry, EntryToInstall


def assess(evidence: Evidence) -> Status:
    """Judge all stages."""
    machine, profile = evidence.machine, evidence.profile
    new_kernel = evidence.layout.new_kernel(machine, stores_of(machine))
    entries = _entry_results(evidence)
    origin = running_system.origin_of(evidence)
    reboot = next_reboot(evidence)
    requirements = () if profile is None else profile.requirements
    return Status(
        root=machine.root,
        layout=evidence.layout.description,
        profile=None if profile is None else ProfileReference.of(profile),
        requirements=tuple(
            _requirement(number, each, entries, new_kernel, evidence, origin, reboot)
            for number, each in enumerate(requirements)
        ),
        entries=entries,
        boot_record=evidence.record,
        new_kernel=new_kernel,
        running=evidence.running,
        origin=origin,
        reboot=reboot.reboot,
        notices=(*_notices(evidence, entries), *reboot.findings),
    )


def _requirement(
    number: int,
    requirement: Requirement,
    entries: tuple[EntryResults, ...],
    new_kernel: NewKernel,
    evidence: Evidence,
    origin: LineOrigin | None,
    reboot: NextReboot,
) -> RequirementResults:
    installed = _together([e.installed[number] for e in entries if e.installed])
    stages = {
        Stage.CONFIGURED: _together([e.configured[number] for e in entries if e.configured]),
        Stage.INHERITED: _inherited(requirement, new_kernel, evidence),
        Stage.INSTALLED: installed,
        Stage.RUNNING: running_system.judge_running(
            requirement, installed, evidence, origin, reboot
        ),
        Stage.EFFECTIVE: running_system.judge_effective(requirement, evidence.running, reboot),
    }
    return RequirementResults(requirement.name, requirement.describe(), stages)


def _together(results: list[Result]) -> Result:
    """What all entries come to: missing beats unknown, and one that is met does not hide either."""
    for verdict in (Verdict.MISSING, Verdict.UNKNOWN):
        found = [each for each in results if each.verdict is verdict]
        if found:
            count = f" ({len(found)} of {len(results)} boot entries)" if len(results) > 1 else ""
            return Result(verdict, found[0].reason + count, found[0].causes)
    met = next((each for each in results if each.verdict is Verdict.MET), None)
    if met is not None:
        return met
    reason = results[0].reason if results else "the profile is for no boot entry that can be judged"
    return Result(Verdict.UNKNOWN, reason)


def _inherited(requirement: Requirement, new: NewKernel, evidence: Evidence) -> Result:
    hint = new.remedy or _correction(evidence)
    cause = Finding("not-inherited", Severity.NOTE, "a new kernel would not get it", hint=hint)
    if new.obstacle is not None:
        return Result(Verdict.MISSING, new.obstacle, (cause,))
    if new.line is None:
        return Result(Verdict.UNKNOWN, new.description)
    judgement = requirement.judge(CommandLine.parse(new.line))
    reason = f"{new.description}: {judgement.reason}"
    if not judgement.met:
        return Result(Verdict.MISSING, reason, (cause,))
    if new.doubt is not None:
        return Result(Verdict.UNKNOWN, f"{reason}; but {new.doubt}")
    return Result(Verdict.MET, reason)


class _Entry(NamedTuple):
    """An entry as it stands, as zipl would install it, and as the boot record holds it."""

    written: BootEntry
    to_install: EntryToInstall | None
    recorded: Program | None


def _entry_results(evidence: Evidence) -> tuple[EntryResults, ...]:
    """Judge every boot entry, in the order of the configuration."""
    configuration, bootmap = evidence.machine.configuration, evidence.record.bootmap
    # An entry that has two numbers in a menu is looked up under the first.
    installed = {each.entry.location: each for each in reversed(configuration.to_install)}
    results = []
    for written in configuration.entries:
        to_install = installed.get(written.location)
        program = None
        if bootmap is not None and to_install is not None and not to_install.skipped:
            program = program_of(bootmap, to_install)
        results.append(_results(evidence, _Entry(written, to_install, program)))
    return tuple(results)


def _not_applied(evidence: Evidence) -> Finding:
    """Return the cause that the files do not say what the profile asks for."""
    message = "the boot entry was not changed yet"
    return Finding("not-applied", Severity.NOTE, message, hint=_correction(evidence))


def _correction(evidence: Evidence) -> str | None:
    """Return what makes the files say what the profile asks for."""
    machine, profile = evidence.machine, evidence.profile
    if profile is None:
        return None
    return evidence.layout.next_step(profile, machine, stores_of(machine), evidence.invocation)


def _zipl_due(evidence: Evidence) -> Finding:
    """Return the cause that the boot record does not say what the files say."""
    message = "zipl has not run since the boot files changed"
    return Finding("zipl-due", Severity.NOTE, message, hint=_commit_command(evidence))


def _commit_command(evidence: Evidence) -> str | None:
    """Return what makes the next IPL use the files; None where nobody is to do that by hand."""
    import shlex  # noqa: PLC0415 - for those who have something to say to their user

    commands = evidence.layout.commit
    if not commands:
        return None
    words = " && ".join(shlex.join(command.argv) for command in commands)
    root = evidence.invocation.root
    if root is None:
        return words
    inside = words if len(commands) == 1 else f"sh -c {shlex.quote(words)}"
    return f"chroot {shlex.quote(root)} {inside}"


def _results(evidence: Evidence, entry: _Entry) -> EntryResults:
    written, profile = entry.written, evidence.profile
    left = None if profile is None else reason_to_leave(profile, evidence.machine, written)
    requirements = () if profile is None or left is not None else profile.requirements
    return EntryResults(
        name=written.name,
        location=written.location,
        menu_position=written.menu_position,
        default=written.is_default,
        rescue=written.is_rescue,
        note="" if left is None else left.note,
        parameters=written.parmline,
        recorded_parameters=None if entry.recorded is None else entry.recorded.parmline,
        configured=tuple(_configured(each, evidence, entry.written) for each in requirements),
        installed=tuple(_installed(each, evidence, entry) for each in requirements),
    )


def _configured(requirement: Requirement, evidence: Evidence, entry: BootEntry) -> Result:
    if entry.parmline is None and entry.parmfile is not None:
        return Result(Verdict.UNKNOWN, "its parmfile can't be read")
    judgement = _judge(requirement, entry.parmline, evidence.machine.configuration.environment)
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    return Result(Verdict.MISSING, judgement.reason, (_not_applied(evidence),))


def _installed(requirement: Requirement, evidence: Evidence, entry: _Entry) -> Result:
    record = evidence.record
    if record.path is None:
        reason = "there is no bootmap: zipl has never run here"
        return Result(Verdict.MISSING, reason, (_zipl_due(evidence),))
    if record.bootmap is None:
        return _by_times(requirement, evidence, entry.written)
    if entry.recorded is None:
        return _not_in_record(evidence, entry.to_install)
    judgement = _judge(requirement, entry.recorded.parmline, record.bootmap.environment)
    older = entry.recorded.parmline != (entry.written.parmline or "")
    reason = f"{judgement.reason}; the boot record still has an older line" if older else ""
    if judgement.met:
        return Result(Verdict.MET, reason or judgement.reason)
    cause = _zipl_due(evidence) if older else _not_applied(evidence)
    return Result(Verdict.MISSING, reason or judgement.reason, (cause,))


def _not_in_record(evidence: Evidence, to_install: EntryToInstall | None) -> Result:
    """An entry that the record does not hold: zipl has to run, or would not install it either."""
    if to_install is None:
        reason = "zipl does not install this entry: it is neither the default nor in the menu"
        return Result(Verdict.NOT_APPLICABLE, reason)
    if to_install.skipped:
        reason = "zipl leaves this optional entry out: a file of it is missing"
        return Result(Verdict.NOT_APPLICABLE, reason)
    reason = "the boot record does not hold this entry"
    return Result(Verdict.MISSING, reason, (_zipl_due(evidence),))


def _by_times(requirement: Requirement, evidence: Evidence, entry: BootEntry) -> Result:
    """The fallback where the record can't be read: only times, and they prove nothing."""
    record = evidence.record
    if record.younger_files:
        return Result(Verdict.MISSING, record.stale or "", (_zipl_due(evidence),))
    met = _judge(requirement, entry.parmline, evidence.machine.configuration.environment).met
    probably = "no boot file is younger than it, so it probably holds what they say"
    reason = f"{record.unreadable}; {probably}" if met else f"{record.unreadable}"
    cause = Finding(
        "record-unreadable", Severity.NOTE, "the boot record can't be read", hint="run it as root"
    )
    return Result(Verdict.UNKNOWN, reason, (cause,))


def _judge(
    requirement: Requirement, line: str | None, environment: ZiplEnvironment | None
) -> Judgement:
    """Judge a line as the kernel gets it, at whichever site: one that misses it decides."""
    text = line or ""
    if environment is None or not variables_of(text):
        return requirement.judge(CommandLine.parse(text))
    common = requirement.judge(CommandLine.parse(environment.expand(text)))
    if not common.met:
        return common
    for site in environment.sites:
        judgement = requirement.judge(CommandLine.parse(environment.expand(text, site)))
        if not judgement.met:
            return Judgement(met=False, reason=f"at site {site}: {judgement.reason}")
    return common


def _notices(evidence: Evidence, entries: tuple[EntryResults, ...]) -> Iterable[Finding]:
    """What is no stage but should be known; an error stands in the way of every stage."""
    record, problems = evidence.record, evidence.machine.configuration.problems
    if problems:
        message = f"zipl would refuse the boot files: {problems[0].message}"
        hint = evidence.invocation.command("check")
        yield Finding("zipl-refuses", Severity.ERROR, message, problems[0].location, hint)
    if evidence.profile is not None and not any(entry.configured for entry in entries):
        notes = dict.fromkeys(entry.note for entry in entries if entry.note)
        yield Finding(
            "no-entry", Severity.ERROR, "; ".join(("no boot entry can be judged", *notes))
        )
    if record.stale is not None:
        due = _commit_command(evidence)
        yield Finding("boot-record-stale", Severity.WARNING, record.stale, hint=due)
    if record.unreadable is not None:
        yield Finding("boot-record-unreadable", Severity.WARNING, record.unreadable)
    if evidence.running is not None:
        yield from running_system.notices(evidence, evidence.running)
