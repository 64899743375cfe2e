"""Judge the progress of each boot entry, of future kernels, and of all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.ipl import secure_execution
from secboot.ipl.boot_record import RecordState
from secboot.ipl.next_ipl import Absence, findings
from secboot.lines.changes import meets
from secboot.lines.stores import stores_of
from secboot.machine.zipl_conf_file import no_zipl_conf
from secboot.plan.boot_entries import reason_to_leave
from secboot.plan.plan import EntryStatus, ProfileReference
from secboot.status import in_image, running_system
from secboot.status.in_image import (
    NOT_BOOTED,
    image_without_entry,
    judge_inside,
    judge_parmfile,
)
from secboot.status.inherited import judge_inherited
from secboot.status.line_at_ipl import is_cut, judge_line
from secboot.status.next_reboot import NextReboot, next_reboot
from secboot.status.stages import (
    BEFORE_KERNEL_NOTE,
    IN_IMAGE,
    NO_ENTRY_YET,
    NOT_CONFIGURED,
    EntryResults,
    RequirementResults,
    Result,
    Stage,
    Status,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secboot.ipl.next_ipl import EntryState
    from secboot.layout.layout import NewKernel
    from secboot.lines.stores import Stores
    from secboot.profile.requirement import Judgement, Requirement
    from secboot.status.stages import Evidence, LineOrigin


def assess(evidence: Evidence) -> Status:
    """Judge all stages."""
    machine, profile = evidence.machine, evidence.profile
    stores = stores_of(machine)
    leaves = secure_execution.leaves_by_files(machine, evidence.next_ipl) is not None
    evidence = evidence._replace(correction=_correction(evidence, stores), leaves=leaves)
    new_kernel = evidence.layout.new_kernel(machine, stores)
    no_entry_yet = machine.awaits_kernel and machine.prepared is None
    entries = () if no_entry_yet else _entry_results(evidence)
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
        next_ipl=evidence.next_ipl,
        new_kernel=new_kernel,
        running=evidence.running,
        origin=origin,
        reboot=reboot.reboot,
        notices=(
            *((BEFORE_KERNEL_NOTE,) if no_entry_yet else _notices(evidence, entries)),
            *(() if no_entry_yet else _outdated(evidence, stores, new_kernel)),
            *reboot.findings,
        ),
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
    configured = _together([e.configured[number] for e in entries if e.configured])
    inherited = judge_inherited(requirement, new_kernel, evidence)
    if evidence.machine.awaits_kernel and not entries:
        configured = installed = NO_ENTRY_YET
    elif not evidence.machine.configured and evidence.machine.prepared is None:
        configured = inherited = NOT_CONFIGURED
        installed = installed if entries else NOT_CONFIGURED
    stages = {
        Stage.CONFIGURED: configured,
        Stage.INHERITED: inherited,
        Stage.INSTALLED: installed,
        Stage.RUNNING: running_system.judge_running(
            requirement, installed, evidence, origin, reboot
        ),
        Stage.EFFECTIVE: running_system.judge_effective(requirement, evidence.running, reboot),
    }
    return RequirementResults(requirement.name, requirement.describe(), stages)


def _together(results: list[Result]) -> Result:
    """The result of all entries: missing beats unknown, and both beat met."""
    for verdict in (Verdict.MISSING, Verdict.UNKNOWN):
        found = [each for each in results if each.verdict is verdict]
        if found:
            count = f" ({len(found)} of {len(results)} boot entries)" if len(results) > 1 else ""
            return Result(verdict, found[0].reason + count, found[0].causes)
    met = next((each for each in results if each.verdict is Verdict.MET), None)
    if met is not None:
        return met
    for other in (IN_IMAGE, NOT_BOOTED):
        if other in results:
            return other
    nothing = "the profile selects no boot entry that secboot can check"
    reason = results[0].reason if results else nothing
    return Result(Verdict.UNKNOWN, reason)


def _entry_results(evidence: Evidence) -> tuple[EntryResults, ...]:
    """Judge every boot entry, in the order of the configuration."""
    found = (_results(evidence, state) for state in evidence.next_ipl.entries)
    return (*found, *image_without_entry(evidence))


_FIRST = "first correct what zipl refuses"
"""What to do before an apply or a run of zipl."""


def _not_applied(evidence: Evidence, state: EntryState) -> Finding:
    """Return the cause that the boot files do not match the profile."""
    message, hint = "boot entry not yet updated", evidence.correction
    if hint == evidence.invocation.command("check"):
        message = f"{message}; {_FIRST}"
    if is_cut(state.configured, state.entry):
        message, hint = "the parameter line is too long", "shorten the parameter line"
    return Finding("not-applied", Severity.NOTE, message, hint=hint)


def _correction(evidence: Evidence, stores: Stores) -> str | None:
    """Return the command that makes the files match the profile; first, zipl must accept them."""
    if evidence.profile is None:
        return None
    if any(entry.is_trial for entry in evidence.machine.configuration.entries):
        return None if evidence.trial is None else evidence.trial.next_step(evidence.invocation)
    before = evidence.machine.awaits_kernel  # then an apply does not require what zipl accepts
    if _is_refused(evidence) and evidence.layout.not_edited is None and not before:
        return evidence.invocation.command("check")
    return evidence.layout.next_step(
        evidence.profile, evidence.machine, stores, evidence.invocation
    )


def _is_refused(evidence: Evidence) -> bool:
    """Whether zipl and an apply would refuse the files as they are."""
    problems = evidence.machine.configuration.problems
    return bool(problems) and evidence.layout.zipl_reads_files(evidence.machine)


def _due(evidence: Evidence, state: EntryState) -> Finding:
    """Return the cause that the next IPL does not start an entry as in the files."""
    programs = state.programs or tuple(each.argv for each in evidence.layout.records)
    program = programs[0][0] if state.programs else "zipl"
    if not programs:
        message = "the boot record is written by what manages this system; do not run zipl by hand"
    elif state.absence in {Absence.NO_RECORD, Absence.DAMAGED_RECORD}:
        message = f"{program} must write the boot record"
    else:
        message = f"{program} has not run since the boot files changed"
    hint = _typed(evidence, programs)
    if _is_refused(evidence):
        message, hint = f"{message}; {_FIRST}", evidence.invocation.command("check")
    return Finding("zipl-due", Severity.NOTE, message, hint=hint)


def _typed(evidence: Evidence, programs: tuple[tuple[str, ...], ...]) -> str | None:
    """Return the command line that runs the programs; None if nobody should run them by hand.

    If that would take the system out of Secure Execution, return the command that shows how to stay.
    """
    if programs and evidence.leaves:
        return evidence.invocation.for_profile("plan")
    return evidence.invocation.of_programs(programs) if programs else None


def _results(evidence: Evidence, state: EntryState) -> EntryResults:
    note = _reason_to_leave(evidence, state)
    profile = evidence.profile
    requirements = () if profile is None or note else profile.requirements
    results = [_by_files(requirement, evidence, state) for requirement in requirements]
    return EntryResults(
        name=state.name,
        location=state.location,
        menu_position=state.number,
        default=state.is_default,
        rescue=state.is_rescue,
        note=note,
        parameters=state.configured,
        recorded_parameters=None if state.choice is None else state.choice.line,
        configured=tuple(configured for configured, _ in results),
        installed=tuple(installed for _, installed in results),
    )


def _by_files(
    requirement: Requirement, evidence: Evidence, state: EntryState
) -> tuple[Result, Result]:
    """Judge the stages *configured* and *installed* of one entry."""
    if state.image is not None:
        line = None if state.choice is None else state.choice.line
        configured, prepared = IN_IMAGE, evidence.machine.prepared
        if prepared is not None and state.entry and evidence.machine.is_prepared(state.entry):
            configured = judge_parmfile(requirement, evidence, prepared)
        return configured, judge_inside(requirement, evidence, line)
    return _configured(requirement, evidence, state), _installed(requirement, evidence, state)


def _reason_to_leave(evidence: Evidence, state: EntryState) -> str:
    """Why an entry is not judged; empty if it is."""
    if evidence.profile is None or state.note:
        return state.note
    if state.entry is not None:
        left = reason_to_leave(evidence.profile, evidence.machine, state.entry)
        return "" if left is None or left.status is EntryStatus.SEALED else left.note
    why_not = evidence.profile.entries.why_not(
        state.name, is_default=state.is_default, is_rescue=state.is_rescue
    )
    return why_not or ""


def _configured(requirement: Requirement, evidence: Evidence, state: EntryState) -> Result:
    if not evidence.machine.configured:
        return NOT_CONFIGURED
    if state.configured is None:
        return Result(Verdict.UNKNOWN, "its parameter line cannot be read")
    judgement = _judge_files(requirement, evidence, state)
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    return Result(Verdict.MISSING, judgement.reason, (_not_applied(evidence, state),))


def _judge_files(requirement: Requirement, evidence: Evidence, state: EntryState) -> Judgement:
    environment = evidence.machine.configuration.environment
    return judge_line(requirement, state.configured, environment, state.entry)


_ABSENT: Mapping[Absence, tuple[Verdict, str]] = {
    Absence.NO_RECORD: (
        Verdict.MISSING,
        "boot record not found: zipl has not run yet, or it was removed",
    ),
    Absence.DAMAGED_RECORD: (
        Verdict.MISSING,
        "the boot record is damaged: unknown what it starts",
    ),
    Absence.NOT_HELD: (Verdict.MISSING, "the boot record does not contain this entry"),
    Absence.OTHER_RAMDISK: (
        Verdict.MISSING,
        "the boot record starts its kernel with a different ramdisk",
    ),
    Absence.NO_MENU: (Verdict.MISSING, "the file of the boot menu was not found"),
    Absence.KERNEL_GONE: (Verdict.MISSING, "its kernel was not found"),
    Absence.INDISTINCT: (
        Verdict.UNKNOWN,
        "the boot record contains only some of the entries with this line and a kernel of this size",
    ),
    Absence.NOT_CHOSEN: (
        Verdict.NOT_APPLICABLE,
        "zipl does not install this entry: it is neither the default nor in the boot menu",
    ),
    Absence.SKIPPED: (
        Verdict.NOT_APPLICABLE,
        "zipl skips this optional entry: one of its files is missing",
    ),
    Absence.OTHER_PROGRAM: (
        Verdict.NOT_APPLICABLE,
        "the boot record was made from command-line options of zipl and contains only another entry",
    ),
}


def _installed(requirement: Requirement, evidence: Evidence, state: EntryState) -> Result:
    choice = state.choice
    if choice is None:
        absence = state.absence or Absence.UNKNOWN_RECORD
        if absence is Absence.UNKNOWN_RECORD:
            return _stale(requirement, evidence, state) or _by_times(requirement, evidence, state)
        verdict, reason = _ABSENT[absence]
        due = verdict in {Verdict.MISSING, Verdict.UNKNOWN}
        return Result(verdict, reason, (_due(evidence, state),) if due else ())
    if choice.line is None:
        return Result(Verdict.UNKNOWN, choice.unsure or "its line in the boot record is unknown")
    judgement = judge_line(requirement, choice.line, choice.environment, choice.entry)
    configured = evidence.machine.configured
    longer = evidence.next_ipl.record.from_options and choice.added
    older = configured and state.configured not in {None, choice.line} and not longer
    path = choice.location.path
    holder = "the boot record" if path == evidence.next_ipl.record.path else path
    reason = f"{judgement.reason}; {holder} still has an older line" if older else ""
    if judgement.met:
        return Result(Verdict.MET, reason or judgement.reason)
    if not configured:
        return Result(Verdict.MISSING, judgement.reason, (_WRITTEN_BY_OTHERS,))
    by_files = _judge_files(requirement, evidence, state)
    cause = _due(evidence, state) if by_files.met else _not_applied(evidence, state)
    return Result(Verdict.MISSING, reason or judgement.reason, (cause,))


_WRITTEN_BY_OTHERS = Finding(
    "record-from-options",
    Severity.NOTE,
    "the boot record was made from command-line options of zipl, without a configuration: the program"
    " that made it must pass this parameter to zipl (-P)",
)


def _stale(requirement: Requirement, evidence: Evidence, state: EntryState) -> Result | None:
    """A parameter that a generated file lacks is missing, whatever the boot record contains."""
    if state.generated is None:
        return None
    judgement = requirement.judge(CommandLine.parse(state.generated))
    if judgement.met:
        return None
    reason = f"{judgement.reason}: {state.location.path}"
    return Result(Verdict.MISSING, reason, (_due(evidence, state),))


def _by_times(requirement: Requirement, evidence: Evidence, state: EntryState) -> Result:
    """The fallback if the boot record cannot be read: only times, which prove nothing."""
    record = evidence.next_ipl.record
    if record.younger_files:
        return Result(Verdict.MISSING, record.stale or "", (_due(evidence, state),))
    met = _judge_files(requirement, evidence, state).met
    file = evidence.machine.bootmap
    probably = "no boot file is newer, so it is probably up to date"
    timed = met and file.modified is not None
    reason = f"{record.unreadable}; {probably}" if timed else f"{record.unreadable}"
    hint = "run this command as root" if file.for_root else None
    message = "the boot record cannot be read"
    cause = Finding("record-unreadable", Severity.NOTE, message, hint=hint)
    return Result(Verdict.UNKNOWN, reason, (cause,))


def _notices(evidence: Evidence, entries: tuple[EntryResults, ...]) -> Iterable[Finding]:
    """Findings that belong to no stage; an error prevents every stage."""
    record, problems = evidence.next_ipl.record, evidence.machine.configuration.problems
    if not evidence.machine.configured:
        yield Finding("no-configuration", Severity.NOTE, NOT_CONFIGURED.reason)
    elif evidence.machine.lacks_conf:
        yield no_zipl_conf(evidence.machine.conf_path, evidence.invocation.command("init"))
    elif _is_refused(evidence):
        message = f"zipl would refuse the boot files: {problems[0].message}"
        hint = evidence.invocation.command("check")
        yield Finding("zipl-refuses", Severity.ERROR, message, problems[0].location, hint)
    judged = any(entry.configured for entry in entries)
    if evidence.machine.configured and evidence.profile is not None and not judged:
        notes = dict.fromkeys(entry.note for entry in entries if entry.note)
        yield Finding(
            "no-entry", Severity.ERROR, "; ".join(("no boot entry can be checked", *notes))
        )
    due = _typed(evidence, tuple(each.argv for each in evidence.layout.records))
    if record.stale is not None and record.state is not RecordState.MISSING:
        yield Finding("boot-record-stale", Severity.WARNING, record.stale, hint=due)
    for finding in findings(evidence.next_ipl):
        yield finding._replace(hint=due) if finding.severity is Severity.ERROR else finding
    if record.state is RecordState.UNKNOWN and record.unreadable is not None:
        yield Finding("boot-record-unreadable", Severity.WARNING, record.unreadable)
    in_plan = evidence.invocation.for_profile("plan")
    for finding in secure_execution.findings(evidence.machine, evidence.next_ipl):
        yield finding._replace(hint=in_plan)
    yield from in_image.notices(evidence)
    if evidence.running is not None:
        yield from running_system.notices(evidence, evidence.running)


def _outdated(evidence: Evidence, stores: Stores, new: NewKernel) -> Iterable[Finding]:
    """Generated files that do not match the profile although what they are generated from does."""
    profile, machine = evidence.profile, evidence.machine
    if profile is None or new.line is None or not meets(profile, stores.line(new.line)):
        return
    for command in evidence.layout.outdated(profile, machine, evidence.next_ipl, stores):
        hint = _typed(evidence, (command.argv,))
        yield Finding("generated-file-stale", Severity.WARNING, command.reason, hint=hint)
