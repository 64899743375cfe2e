"""Put together how far everything has got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.lines.stores import stores_of
from secboot.plan.plan import ProfileReference
from secboot.status.entry_stages import commit_command, entry_results
from secboot.status.running_stage import another_disk, judge_effective, judge_running, origin_of
from secboot.status.stages import EntryResults, RequirementResults, Result, Stage, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.layout.layout import NewKernel
    from secboot.profile.requirement import Requirement
    from secboot.running.system import RunningSystem
    from secboot.status.stages import Evidence, LineOrigin


def assess(evidence: Evidence) -> Status:
    """Judge all stages."""
    machine, profile = evidence.machine, evidence.profile
    new_kernel = evidence.layout.new_kernel(machine, stores_of(machine))
    entries = entry_results(evidence)
    origin = origin_of(evidence)
    requirements = () if profile is None else profile.requirements
    return Status(
        root=machine.root,
        layout=evidence.layout.description,
        profile=None if profile is None else ProfileReference.of(profile),
        requirements=tuple(
            _requirement(number, each, entries, new_kernel, evidence, origin)
            for number, each in enumerate(requirements)
        ),
        entries=entries,
        boot_record=evidence.record,
        new_kernel=new_kernel,
        running=evidence.running,
        origin=origin,
        notices=tuple(_notices(evidence, entries)),
    )


def _requirement(
    number: int,
    requirement: Requirement,
    entries: tuple[EntryResults, ...],
    new_kernel: NewKernel,
    evidence: Evidence,
    origin: LineOrigin | None,
) -> RequirementResults:
    installed = _together([e.installed[number] for e in entries if e.installed])
    stages = {
        Stage.CONFIGURED: _together([e.configured[number] for e in entries if e.configured]),
        Stage.INHERITED: _inherited(requirement, new_kernel, evidence),
        Stage.INSTALLED: installed,
        Stage.RUNNING: judge_running(requirement, installed, evidence, origin),
        Stage.EFFECTIVE: judge_effective(requirement, evidence.running),
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
    hint = new.remedy or evidence.invocation.for_profile("apply")
    cause = Finding("not-inherited", Severity.NOTE, "a new kernel would not get it", hint=hint)
    if new.obstacle is not None:
        return Result(Verdict.MISSING, new.obstacle, (cause,))
    if new.line is None:
        return Result(Verdict.UNKNOWN, new.description)
    judgement = requirement.judge(CommandLine.parse(new.line))
    reason = f"{new.description}: {judgement.reason}"
    if judgement.met:
        return Result(Verdict.MET, reason)
    return Result(Verdict.MISSING, reason, (cause,))


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
        due = commit_command(evidence)
        yield Finding("boot-record-stale", Severity.WARNING, record.stale, hint=due)
    if record.unreadable is not None:
        yield Finding("boot-record-unreadable", Severity.WARNING, record.unreadable)
    if evidence.running is not None:
        yield from _running_notices(evidence, evidence.running)


def _running_notices(evidence: Evidence, running: RunningSystem) -> Iterable[Finding]:
    role = evidence.profile.role if evidence.profile is not None else None
    wrong = _wrong_role(role, running)
    if wrong is not None:
        yield Finding("role", Severity.WARNING, wrong)
    if running.kdump:
        message = "this is a kdump kernel: its parameter line is not the system's own"
        yield Finding("kdump", Severity.WARNING, message)
    if role == "host" and running.kvm_hpage:
        message = "kvm.hpage=1: Secure Execution guests can't be backed with huge pages"
        hint = "start such guests without huge page backing"
        yield Finding("huge-pages", Severity.WARNING, message, hint=hint)
    if running.messages.bounce_buffer_full:
        message = f"the bounce buffer ran full: {running.messages.bounce_buffer_full[-1]}"
        hint = "ask for a larger swiotlb"
        yield Finding("bounce-buffer-full", Severity.WARNING, message, hint=hint)
    disk = another_disk(running) if evidence.record.bootmap is not None else None
    if disk is not None:
        yield disk


def _wrong_role(role: str | None, running: RunningSystem) -> str | None:
    hardware = running.hardware
    where = hardware.describe()
    if role == "host" and running.ultravisor.prot_virt_guest:
        return "a host profile, but this is a Secure Execution guest"
    if role == "host" and hardware.under_hypervisor:
        return f"a host profile, but this system is a guest: {where}"
    if role == "guest" and hardware.in_lpar:
        return f"a guest profile, but this system runs in an LPAR: {where}"
    return None
