"""Make a plan: the requirements of a profile against what was found on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError, RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.plan.commit import commands, commit_warnings
from secboot.plan.draft import Draft
from secboot.plan.files import file_changes
from secboot.plan.fulfil import fulfil_entry
from secboot.plan.limits import require_fits
from secboot.plan.model import (
    Action,
    EntryPlan,
    EntryStatus,
    InputFile,
    ParameterChange,
    Plan,
    PlanWarning,
    ProfileReference,
    digest,
)
from secboot.zipl.entry import EntryKind

if TYPE_CHECKING:
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry


ABOUT_OTHER_FILES = frozenset(
    f"zipl.{name}"
    for name in (
        "device",
        "file",
        "image",
        "image-small",
        "load-address",
        "parmfile",
        "ramdisk",
        "target-directory",
    )
)
"""Problems that are not in the text: an image tree may get its kernel after its boot entries."""


def make_plan(profile: Profile, machine: Machine, *, with_zipl: bool) -> Plan:
    """Return what it takes to bring every selected boot entry to what the profile requires.

    `with_zipl` says that zipl is going to run here, so what would make it fail is a refusal and
    not only a warning. Raises ParseError when zipl would refuse the boot files as they are, and
    RefusedError when the plan can't be made; both leave everything as it is.
    """
    machine.layout.require_editable()
    _require_accepted(machine, with_zipl=with_zipl)
    _require_entries(machine)
    entries = machine.configuration.entries
    draft = Draft(entries, machine.parmfiles)
    notes = {entry: reason_to_skip(profile, machine, entry) for entry in entries}
    chosen = tuple(entry for entry in entries if notes[entry] is None)
    # What a shared parmfile has to hold is settled first: others of its entries may then be met.
    for entry in sorted(chosen, key=lambda e: e.parmfile is None or e.parameters is not None):
        fulfil_entry(draft, entry, profile.requirements)
    plans = tuple(_entry_plan(profile, draft, entry, notes[entry]) for entry in entries)
    for entry, plan in zip(entries, plans, strict=True):
        if plan.line_after is not None and plan.line_after != plan.line_before:
            require_fits(entry, plan.line_after)
    files = file_changes(machine, draft)
    return Plan(
        profile=profile_reference(profile),
        root=machine.root,
        layout=machine.layout.description,
        zipl_version=str(machine.zipl_version),
        entries=plans,
        files=files,
        commands=commands(machine, files),
        warnings=_warnings(profile, machine, plans, chosen, with_zipl=with_zipl),
        inputs=tuple(
            InputFile(file.path, file.real_path, digest(file.data)) for file in machine.files
        ),
    )


def _require_accepted(machine: Machine, *, with_zipl: bool) -> None:
    """Refuse to edit what zipl would refuse to read (all of it: one bad line stops zipl)."""
    problems = machine.configuration.problems
    blocking = [p for p in problems if with_zipl or p.code not in ABOUT_OTHER_FILES]
    if not blocking:
        return
    first, others = blocking[0], len(blocking) - 1
    more = f" (and {others} more)" if others else ""
    raise ParseError(
        f"zipl would refuse this: {first.message}{more}",
        location=first.location,
        hint="nothing was changed; `secboot check` lists every problem",
    )


_Skip = tuple[EntryStatus, str]


def reason_to_skip(profile: Profile, machine: Machine, entry: BootEntry) -> _Skip | None:
    """Say why a boot entry is left alone, as a status and in words; None when it is not."""
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
            f"{entry.image.path if entry.image else 'its image'} is an IBM Secure Execution image: its parameter line is sealed inside"
            " and this text is ignored at boot; rebuild it with pvimg create --parmfile"
        )
    return None


def _entry_plan(profile: Profile, draft: Draft, entry: BootEntry, skip: _Skip | None) -> EntryPlan:
    before, after = draft.line_found(entry), draft.line_planned(entry)
    changes: tuple[ParameterChange, ...] = ()
    if skip is None:
        lines = CommandLine.parse(before or ""), CommandLine.parse(after or "")
        changes = tuple(_parameter_change(r, *lines) for r in profile.requirements)
        status, note = EntryStatus.UNCHANGED, ""
        if before != after:
            status = EntryStatus.CHANGE
    else:
        status, note = skip
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


def _warnings(
    profile: Profile,
    machine: Machine,
    plans: tuple[EntryPlan, ...],
    chosen: tuple[BootEntry, ...],
    *,
    with_zipl: bool,
) -> tuple[PlanWarning, ...]:
    found = [PlanWarning("profile", w.message, w.location) for w in profile.warnings]
    found += _selection_warnings(profile, machine)
    if not chosen:
        found.append(PlanWarning("no-entry", "the profile selects no boot entry of this machine"))
    if not with_zipl:
        found += [
            PlanWarning(p.code, f"zipl will refuse this: {p.message}", p.location)
            for p in machine.configuration.problems
            if p.code in ABOUT_OTHER_FILES
        ]
    found += [PlanWarning(w.code, w.message, w.location) for w in machine.configuration.warnings]
    found += [
        PlanWarning(
            "shared-parmfile",
            f"'{plan.name}' changes too: it shares a parmfile with an entry that is selected",
            plan.location,
        )
        for plan in plans
        if plan.status is not EntryStatus.CHANGE and plan.line_before != plan.line_after
    ]
    found += commit_warnings(machine)
    return tuple(found)


def _selection_warnings(profile: Profile, machine: Machine) -> list[PlanWarning]:
    names = tuple(entry.name for entry in machine.configuration.entries)
    return [
        PlanWarning("no-such-entry", f"no boot entry is called {pattern!r}, as the profile says")
        for pattern in profile.entries.unmatched(names)
    ]


def profile_reference(profile: Profile) -> ProfileReference:
    """Return what plans and reports say of a profile."""
    return ProfileReference(
        name=profile.name,
        path=profile.path,
        digest=profile.digest,
        role=profile.role or "",
        description=profile.description,
    )


def _require_entries(machine: Machine) -> None:
    if not machine.configuration.entries:
        raise RefusedError(
            "there is no boot entry: zipl.conf has no section and there are no BLS entries",
            hint="is the right root named, and is /boot mounted there?",
        )
