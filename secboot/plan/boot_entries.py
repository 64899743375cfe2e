"""What happens to each boot entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.lines.changes import ParameterChange, parameter_changes, wanted_line
from secboot.lines.fulfil import sites_of
from secboot.named_tuple import NamedTuple
from secboot.plan.plan import EntryPlan, EntryStatus
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from secboot.ipl.next_ipl import EntryState
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry


class LeftAlone(NamedTuple):
    """Why a profile does not apply to a boot entry."""

    status: EntryStatus
    note: str


def left_alone(note: str) -> LeftAlone | None:
    """Return why an entry stays as it is for a reason of the layout; None without a `note`."""
    return LeftAlone(EntryStatus.NOT_SELECTED, note) if note else None


def reason_to_leave(profile: Profile, machine: Machine, entry: BootEntry) -> LeftAlone | None:
    """Return why a profile does not apply to this entry, or None if it does."""
    if entry.kind is not EntryKind.IPL:
        return LeftAlone(EntryStatus.NOT_LINUX, "does not boot Linux from disk")
    if entry.kdump:
        return LeftAlone(EntryStatus.NOT_LINUX, "kdump section")
    if entry.is_trial:
        return LeftAlone(EntryStatus.NOT_SELECTED, "boot entry of a trial")
    why_not = profile.entries.why_not(
        entry.name, is_default=entry.is_default, is_rescue=entry.is_rescue
    )
    if why_not is not None:
        return LeftAlone(EntryStatus.NOT_SELECTED, why_not)
    if machine.secure_image(entry) is not None:
        return LeftAlone(
            EntryStatus.SEALED,
            f"{entry.image.path if entry.image else 'its image'} is a Secure Execution image: its"
            f" parameter line is inside; {_ignored(entry)} ignored at boot",
        )
    return None


def edited_entry(
    profile: Profile, stores: Stores, entry: BootEntry, left: LeftAlone | None
) -> EntryPlan:
    """Return the plan of an entry that secboot edits, or skips."""
    before, after = stores.entry_found(entry), stores.entry_planned(entry)
    if left is not None:
        return _plan(entry, left.status, left.note, (), before, after)
    old = stores.line(stores.expanded_found(before or ""))
    new = stores.line(stores.environment.expand(after or ""))
    changes = parameter_changes(profile.requirements, old, new)
    changes = tuple(
        change._replace(reason=_reason_at_a_site(requirement, stores, entry) or change.reason)
        for requirement, change in zip(profile.requirements, changes, strict=True)
    )
    status, note = EntryStatus.UNCHANGED, ""
    if before != after or _expands_differently(stores, entry, before, after):
        status = EntryStatus.CHANGE
        note = _variables_note(stores, entry)
    return _plan(entry, status, note, changes, before, after)


def generated_entry(
    profile: Profile,
    stores: Stores,
    state: EntryState,
    left: LeftAlone | None,
    note: str,
    *,
    builds_image: bool,
) -> EntryPlan:
    """Return the plan of an entry that another program writes, with the changes it needs.

    With `builds_image` that program also builds the entry's Secure Execution image.
    """
    entry = state.entry
    if entry is None:
        return generated_line(profile, stores, state)
    line = entry.parmline
    if left is not None and left.status is EntryStatus.SEALED and builds_image:
        plan = _plan(entry, EntryStatus.GENERATED, note, (), line, None)
    elif left is not None:
        plan = _plan(entry, left.status, left.note, (), line, line)
    else:
        plan = _plan(entry, EntryStatus.GENERATED, note, _wanted(profile, stores, line), line, None)
    return plan._replace(default=state.is_default)


def generated_line(profile: Profile, stores: Stores, state: EntryState) -> EntryPlan:
    """Return the plan of an entry in the menu of another loader, which zipl's entry starts."""
    why_not = state.note or profile.entries.why_not(
        state.name, is_default=state.is_default, is_rescue=state.is_rescue
    )
    line = state.generated
    if state.image is not None and not why_not:
        note = f"{state.image} is a Secure Execution image: its parameter line is inside"
        return _behind_zipl(state, EntryStatus.SEALED, note, (), None)
    if line is None and not why_not:
        why_not = "not generated from a file that secboot edits"
    if why_not or line is None:
        return _behind_zipl(state, EntryStatus.NOT_SELECTED, why_not or "", (), line)
    return _behind_zipl(state, EntryStatus.GENERATED, "", _wanted(profile, stores, line), line)


def _behind_zipl(
    state: EntryState,
    status: EntryStatus,
    note: str,
    changes: tuple[ParameterChange, ...],
    line: str | None,
) -> EntryPlan:
    return EntryPlan(
        name=state.name,
        location=state.location,
        kind=EntryKind.IPL.value,
        status=status,
        note=note,
        default=state.is_default,
        rescue=state.is_rescue,
        parameters=changes,
        line_before=line,
        line_after=None,
    )


def _wanted(profile: Profile, stores: Stores, line: str | None) -> tuple[ParameterChange, ...]:
    before = stores.line(line)
    return parameter_changes(profile.requirements, before, wanted_line(profile, before, stores))


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
        default=entry.is_default,
        rescue=entry.is_rescue,
        parameters=changes,
        line_before=before,
        line_after=after,
    )


def _ignored(entry: BootEntry) -> str:
    if entry.bls is not None and entry.parameters is not None:
        return "the 'options' line here is"
    return "the parameters here are" if entry.parmline is not None else "parameters here would be"


def _expands_differently(
    stores: Stores, entry: BootEntry, before: str | None, after: str | None
) -> bool:
    sites = sites_of(stores, stores.line_of(entry))
    return any(
        stores.expanded_found(before or "", site) != stores.environment.expand(after or "", site)
        for site in sites
    )


def _reason_at_a_site(requirement: Requirement, stores: Stores, entry: BootEntry) -> str | None:
    """Why the line that was found fails at a site, if it only fails there."""
    found = stores.entry_found(entry) or ""
    for site in sites_of(stores, stores.line_of(entry)):
        judgement = requirement.judge(stores.line(stores.expanded_found(found, site)))
        if not judgement.met:
            return None if site is None else f"at site {site}: {judgement.reason}"
    return None


def _variables_note(stores: Stores, entry: BootEntry) -> str:
    line = stores.entry_planned(entry) or ""
    texts = [
        f"{name}={value}" + ("" if site is None else f" (site {site})")
        for site, name, value in stores.changed_variables
        if f"${{{name}}}" in line
    ]
    return f"changed in /etc/ziplenv: {', '.join(texts)}" if texts else ""
