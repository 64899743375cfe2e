"""What happens to each boot entry, and to each parameter in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.lines.variables import sites_of
from secboot.plan.model import (
    Action,
    EntryPlan,
    EntryStatus,
    ParameterChange,
    StorePlan,
    StoreStatus,
)
from secboot.zipl.entry import EntryKind

if TYPE_CHECKING:
    from secboot.lines.draft import Draft
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry

Skip = tuple[EntryStatus, str]


def reason_to_skip(profile: Profile, machine: Machine, entry: BootEntry) -> Skip | None:
    """Return why a profile has nothing to ask of this entry, or None if it has."""
    if entry.kind is not EntryKind.IPL:
        return EntryStatus.NOT_LINUX, "not a Linux system to be IPLed from disk; left alone"
    if entry.kdump:
        return EntryStatus.NOT_LINUX, "a kdump section; left alone"
    why_not = profile.entries.why_not(
        entry.name, is_default=entry.is_default, is_rescue=entry.is_rescue
    )
    if why_not is not None:
        return EntryStatus.NOT_SELECTED, why_not
    if machine.is_sealed(entry):
        return EntryStatus.SEALED, (
            f"{entry.image.path if entry.image else 'its image'} is an IBM Secure Execution"
            " image: its parameter line is sealed inside and"
            f" {_decoration(entry)} ignored at boot; rebuild it with pvimg create --parmfile"
        )
    return None


def edited_entry(
    profile: Profile, draft: Draft, entry: BootEntry, skip: Skip | None, note: str = ""
) -> EntryPlan:
    """Return what the draft makes of an entry that secboot edits, or leaves alone."""
    before, after = draft.line_found(entry), draft.line_planned(entry)
    if skip is not None:
        return _plan(entry, *skip, (), before, after)
    old = CommandLine.parse(draft.expanded_found(before or ""))
    new = CommandLine.parse(draft.environment.expand(after or ""))
    changes = parameter_changes(profile.requirements, old, new)
    status = EntryStatus.UNCHANGED
    if before != after or _expands_anew(draft, entry, before, after):
        status = EntryStatus.CHANGE
        note = note or _variables_note(draft, entry)
    return _plan(entry, status, note, changes, before, after)


def generated_entry(profile: Profile, entry: BootEntry, skip: Skip | None, note: str) -> EntryPlan:
    """Return what is asked of an entry that another program writes, and how it is to become."""
    if skip is not None:
        return _plan(entry, *skip, (), entry.parmline, entry.parmline)
    before = CommandLine.parse(entry.parmline or "")
    changes = parameter_changes(profile.requirements, before, wanted_line(profile, before))
    return _plan(entry, EntryStatus.GENERATED, note, changes, entry.parmline, None)


def wanted_line(profile: Profile, line: CommandLine) -> CommandLine:
    """Return a line that meets the profile, or as much of that as editing can give."""
    for requirement in profile.requirements:
        try:
            line = requirement.fulfil(line)
        except RefusedError:
            continue
    return line


def meets(profile: Profile, line: CommandLine) -> bool:
    """Tell whether the line meets every requirement of the profile."""
    return all(requirement.judge(line).met for requirement in profile.requirements)


def edited_store(
    profile: Profile, name: str, location: Location, before: CommandLine, after: CommandLine
) -> StorePlan:
    """Return what happens to a store whose line was brought to the profile, from `before` on."""
    return StorePlan(
        name=name,
        location=location,
        status=StoreStatus.UNCHANGED if after.text == before.text else StoreStatus.CHANGE,
        note="",
        met=True,
        parameters=parameter_changes(profile.requirements, before, after),
        line_before=before.text,
        line_after=after.text,
    )


def parameter_changes(
    requirements: tuple[Requirement, ...], before: CommandLine, after: CommandLine
) -> tuple[ParameterChange, ...]:
    """Return for each requirement what becomes of the words it is about."""
    return tuple(_parameter_change(requirement, before, after) for requirement in requirements)


def _parameter_change(
    requirement: Requirement, before: CommandLine, after: CommandLine
) -> ParameterChange:
    old = tuple(p.text for p in requirement.occurrences(before))
    new = tuple(p.text for p in requirement.occurrences(after))
    if old == new:
        action = Action.KEEP
    elif not old:
        action = Action.ADD
    else:
        action = Action.CHANGE if new else Action.REMOVE
    return ParameterChange(
        name=requirement.name,
        action=action,
        before=old,
        after=new,
        wanted=requirement.describe(),
        reason=requirement.judge(before).reason,
    )


def _plan(
    entry: BootEntry,
    status: EntryStatus,
    note: str,
    changes: tuple[ParameterChange, ...],
    before: str | None,
    after: str | None,
) -> EntryPlan:
    return EntryPlan(
        name=entry.name,
        location=Location(entry.path, entry.line),
        kind=entry.kind.value,
        status=status,
        note=note,
        is_default=entry.is_default,
        is_rescue=entry.is_rescue,
        parameters=changes,
        line_before=before,
        line_after=after,
    )


def _decoration(entry: BootEntry) -> str:
    if entry.bls is not None and entry.parameters is not None:
        return "the 'options' line here is decoration, which is"
    return "this text is" if entry.parmline is not None else "what would stand here is"


def _expands_anew(draft: Draft, entry: BootEntry, before: str | None, after: str | None) -> bool:
    sites = sites_of(draft, draft.subject(entry))
    return any(
        draft.expanded_found(before or "", site) != draft.environment.expand(after or "", site)
        for site in sites
    )


def _variables_note(draft: Draft, entry: BootEntry) -> str:
    line = draft.line_planned(entry) or ""
    texts = [
        f"{name}={value}" + ("" if site is None else f" (site {site})")
        for site, name, value in draft.changed_variables
        if f"${{{name}}}" in line
    ]
    return f"through /etc/ziplenv: {', '.join(texts)}" if texts else ""
