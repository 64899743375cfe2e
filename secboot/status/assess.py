"""Put together how far everything has got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.invocation import PLAIN, Invocation
from secboot.lines.stores import stores_of
from secboot.plan.plan import ProfileReference
from secboot.status.entry_stages import commit_command, entry_results, next_steps
from secboot.status.running_stage import another_disk, judge_running, origin_of
from secboot.status.stages import (
    EntryResults,
    LineOrigin,
    RequirementResults,
    Result,
    Stage,
    Status,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.ipl.boot_record import BootRecord
    from secboot.layout.layout import Layout, NewKernel
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.running.system import RunningSystem

NOT_RUNNING = Result(Verdict.NOT_APPLICABLE, "not the running system")


def assess(
    machine: Machine,
    layout: Layout,
    record: BootRecord,
    profile: Profile | None,
    running: RunningSystem | None,
    invocation: Invocation = PLAIN,
) -> Status:
    """Judge all stages; `running` is None for a tree that is not the running system.

    `invocation` is how secboot was called, for the commands that are to be typed next.
    """
    new_kernel = layout.new_kernel(machine, stores_of(machine))
    steps = next_steps(layout, invocation)
    entries = entry_results(machine, record, profile, steps)
    origin = None if running is None else origin_of(machine, record, running)
    requirements: tuple[RequirementResults, ...] = ()
    if profile is not None:
        requirements = tuple(
            _requirement(number, each, entries, new_kernel, running, origin, invocation)
            for number, each in enumerate(profile.requirements)
        )
    return Status(
        root=machine.root,
        layout=layout.description,
        profile=None if profile is None else ProfileReference.of(profile),
        entries=entries,
        requirements=requirements,
        notices=tuple(_notices(machine, layout, record, profile, entries, running, invocation)),
        boot_record=record,
        new_kernel=new_kernel,
        running=running,
        origin=origin,
    )


def _requirement(
    number: int,
    requirement: Requirement,
    entries: tuple[EntryResults, ...],
    new_kernel: NewKernel,
    running: RunningSystem | None,
    origin: LineOrigin | None,
    invocation: Invocation,
) -> RequirementResults:
    installed = _together([e.installed[number] for e in entries if e.installed])
    stages = {
        Stage.CONFIGURED: _together([e.configured[number] for e in entries if e.configured]),
        Stage.INHERITED: _inherited(requirement, new_kernel, invocation),
        Stage.INSTALLED: installed,
        Stage.RUNNING: NOT_RUNNING,
        Stage.EFFECTIVE: NOT_RUNNING,
    }
    if running is not None:
        given = judge_running(requirement, installed, running, origin, invocation)
        stages |= {Stage.RUNNING: given, Stage.EFFECTIVE: _effective(requirement, running)}
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


def _inherited(requirement: Requirement, new: NewKernel, invocation: Invocation) -> Result:
    hint = new.remedy or invocation.for_profile("apply")
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


def _effective(requirement: Requirement, running: RunningSystem) -> Result:
    found = requirement.honoured(running)
    if found is None:
        reason = "the kernel gives no sign of it"
        return Result(Verdict.NOT_APPLICABLE, reason)
    if found.value is None:
        return Result(Verdict.UNKNOWN, found.reason)
    verdict = Verdict.MET if found.value else Verdict.MISSING
    return Result(verdict, found.reason, found.causes)


def _notices(
    machine: Machine,
    layout: Layout,
    record: BootRecord,
    profile: Profile | None,
    entries: tuple[EntryResults, ...],
    running: RunningSystem | None,
    invocation: Invocation,
) -> Iterable[Finding]:
    """What is no stage but should be known; an error stands in the way of every stage."""
    problems = machine.configuration.problems
    if problems:
        message = f"zipl would refuse the boot files: {problems[0].message}"
        check = invocation._replace(profile=None).command("check")
        yield Finding("zipl-refuses", Severity.ERROR, message, problems[0].location, check)
    if profile is not None and not any(entry.configured for entry in entries):
        notes = {entry.note for entry in entries if entry.note}
        message = "no boot entry can be judged" + "".join(f"; {note}" for note in notes)
        yield Finding("no-entry", Severity.ERROR, message)
    if record.stale is not None:
        hint = commit_command(layout, invocation)
        yield Finding("boot-record-stale", Severity.WARNING, record.stale, hint=hint)
    if record.unreadable is not None:
        yield Finding("boot-record-unreadable", Severity.WARNING, record.unreadable)
    if running is not None:
        yield from _running_notices(profile, running, record)


def _running_notices(
    profile: Profile | None, running: RunningSystem, record: BootRecord
) -> Iterable[Finding]:
    role = "" if profile is None or profile.role is None else profile.role.value
    wrong = _wrong_role(role, running)
    if wrong is not None:
        yield Finding("role", Severity.WARNING, wrong)
    if running.kdump:
        message = "this is a kdump kernel: its parameter line is not the system's own"
        yield Finding("kdump", Severity.WARNING, message)
    if role == "host" and running.kvm_hpage:
        yield Finding(
            "huge-pages",
            Severity.WARNING,
            "kvm.hpage=1: Secure Execution guests can't be backed with huge pages",
            hint="start such guests without huge page backing",
        )
    if running.messages.bounce_buffer_full:
        message = f"the bounce buffer ran full: {running.messages.bounce_buffer_full[-1]}"
        hint = "ask for a larger swiotlb"
        yield Finding("bounce-buffer-full", Severity.WARNING, message, hint=hint)
    disk = another_disk(running) if record.bootmap is not None else None
    if disk is not None:
        yield disk


def _wrong_role(role: str, running: RunningSystem) -> str | None:
    where = running.sysinfo.describe()
    if role == "host" and running.ultravisor.prot_virt_guest:
        return "a host profile, but this is a Secure Execution guest"
    if role == "host" and running.under_hypervisor:
        return f"a host profile, but this system is a guest: {where}"
    if role == "guest" and running.in_lpar:
        return f"a guest profile, but this system runs in an LPAR: {where}"
    return None
