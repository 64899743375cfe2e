"""Put together how far everything has got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.lines.stores import stores_of
from secboot.plan.plan import ProfileReference
from secboot.status.diagnosis import advise_effective, advise_running, machine_notices
from secboot.status.effective import judge_effective
from secboot.status.entries import APPLY, entry_results
from secboot.status.model import (
    Advice,
    EntryResults,
    Notice,
    RequirementResults,
    Result,
    Stage,
    Status,
    Verdict,
)
from secboot.status.running_line import KnownLine, explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.ipl.boot_record import BootRecord
    from secboot.layout.layout import Layout, NewKernel
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.running.running import RunningSystem

NOT_RUNNING = "not the running system"


def assess(
    machine: Machine,
    layout: Layout,
    record: BootRecord,
    profile: Profile | None,
    running: RunningSystem | None,
) -> Status:
    """Judge all stages; `running` is None for a tree that is not the running system."""
    inheritance = layout.new_kernel(machine, stores_of(machine))
    entries = entry_results(machine, record, profile)
    origin = _origin(machine, record, running)
    requirements: tuple[RequirementResults, ...] = ()
    if profile is not None:
        requirements = tuple(
            _requirement(number, each, entries, inheritance, running, origin)
            for number, each in enumerate(profile.requirements)
        )
    return Status(
        root=machine.root,
        layout=layout.description,
        profile=None if profile is None else ProfileReference.of(profile),
        entries=entries,
        requirements=requirements,
        notices=tuple(_notices(machine, record, profile, entries, running)),
        record=record,
        inheritance=inheritance,
        running=running,
        origin=origin,
    )


def _requirement(
    number: int,
    requirement: Requirement,
    entries: tuple[EntryResults, ...],
    inheritance: NewKernel,
    running: RunningSystem | None,
    origin: str,
) -> RequirementResults:
    configured = _together(
        Stage.CONFIGURED, [e.configured[number] for e in entries if e.configured]
    )
    installed = _together(Stage.INSTALLED, [e.installed[number] for e in entries if e.installed])
    stages = [configured, _inherited(requirement, inheritance), installed]
    if running is None:
        stages += [
            Result(stage, Verdict.NOT_APPLICABLE, NOT_RUNNING)
            for stage in (Stage.RUNNING, Stage.EFFECTIVE)
        ]
    else:
        stages.append(_running(requirement, installed, running, origin))
        result = judge_effective(requirement, running)
        stages.append(advise_effective(requirement, result, running))
    return RequirementResults(requirement.name, requirement.describe(), tuple(stages))


def _together(stage: Stage, results: list[Result]) -> Result:
    """What all entries come to: missing beats unknown, and one that is met does not hide either."""
    for verdict in (Verdict.MISSING, Verdict.UNKNOWN):
        found = [each for each in results if each.verdict is verdict]
        if found:
            count = f" ({len(found)} of {len(results)} boot entries)" if len(results) > 1 else ""
            return Result(stage, verdict, found[0].reason + count, found[0].advice)
    met = next((each for each in results if each.verdict is Verdict.MET), None)
    if met is not None:
        return met
    reason = results[0].reason if results else "the profile is for no boot entry that can be judged"
    return Result(stage, Verdict.UNKNOWN, reason)


def _inherited(requirement: Requirement, new: NewKernel) -> Result:
    if new.obstacle is not None:
        return Result(Stage.INHERITED, Verdict.MISSING, new.obstacle, (_not_inherited(new),))
    if new.line is None:
        return Result(Stage.INHERITED, Verdict.UNKNOWN, new.description)
    judgement = requirement.judge(CommandLine.parse(new.line))
    reason = f"{new.description}: {judgement.reason}"
    if judgement.met:
        return Result(Stage.INHERITED, Verdict.MET, reason)
    return Result(Stage.INHERITED, Verdict.MISSING, reason, (_not_inherited(new),))


def _not_inherited(new: NewKernel) -> Advice:
    return Advice("a new kernel would not get it", new.remedy or APPLY.next_step)


def _running(
    requirement: Requirement, installed: Result, running: RunningSystem, origin: str
) -> Result:
    if running.command_line is None:
        return Result(Stage.RUNNING, Verdict.UNKNOWN, "/proc/cmdline can't be read")
    judgement = requirement.judge(CommandLine.parse(running.command_line))
    if judgement.met:
        return Result(Stage.RUNNING, Verdict.MET, judgement.reason)
    advice = advise_running(installed.verdict, running, origin)
    return Result(Stage.RUNNING, Verdict.MISSING, judgement.reason, advice)


def _origin(machine: Machine, record: BootRecord, running: RunningSystem | None) -> str:
    if running is None or running.command_line is None:
        return ""
    bootmap = record.bootmap
    environment = None if bootmap is None else bootmap.environment
    return explain(running.command_line, tuple(_known(machine, record)), environment, running.ipl)


def _known(machine: Machine, record: BootRecord) -> Iterable[KnownLine]:
    """The lines that the record holds, the default's first, then those that only the files hold."""
    bootmap = record.bootmap
    programs = () if bootmap is None else bootmap.programs
    names = {(i.position or 0): i.entry.name for i in machine.configuration.to_install}
    for program in sorted(programs, key=lambda each: not each.is_default):
        number = max(program.numbers)
        name = f"'{names[number]}' " if number in names else ""
        menu = f", menu number {number}" if number else ""
        default = " (the default)" if program.is_default else ""
        yield KnownLine(f"{name}in the boot record{menu}{default}", program.parmline or "")
    for entry in machine.configuration.entries:
        yield KnownLine(f"'{entry.name}' as its file says", entry.parmline or "")


def _notices(
    machine: Machine,
    record: BootRecord,
    profile: Profile | None,
    entries: tuple[EntryResults, ...],
    running: RunningSystem | None,
) -> Iterable[Notice]:
    problems = machine.configuration.problems
    if problems:
        yield Notice(
            "zipl-refuses",
            f"zipl would refuse the boot files: {problems[0].message}",
            "secboot check",
        )
    if profile is not None and not any(entry.configured for entry in entries):
        notes = {entry.note for entry in entries if entry.note}
        yield Notice("no-entry", "no boot entry can be judged" + "".join(f"; {n}" for n in notes))
    stale = record.stale
    if stale is not None:
        yield Notice("boot-record-stale", stale, "run: zipl")
    if record.unreadable is not None:
        yield Notice("boot-record-unreadable", record.unreadable)
    if running is not None:
        role = "" if profile is None or profile.role is None else profile.role.value
        yield from machine_notices(role, running, record)
