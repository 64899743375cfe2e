"""What the reader of a plan should know besides what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.plan.model import EntryStatus, PlanWarning

if TYPE_CHECKING:
    from secboot.machine.discovery import Machine
    from secboot.plan.model import EntryPlan
    from secboot.profile.profile import Profile

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


def warnings(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...], *, with_zipl: bool
) -> tuple[PlanWarning, ...]:
    """Return the warnings about profile, selection, zipl's reading, and shared files."""
    found = [PlanWarning("profile", w.message, w.location) for w in profile.warnings]
    found += _selection_warnings(profile, machine, plans)
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
        if plan.status not in {EntryStatus.CHANGE, EntryStatus.GENERATED}
        and plan.line_before != plan.line_after
    ]
    return tuple(found)


def version_warnings(machine: Machine) -> tuple[PlanWarning, ...]:
    """Return what should be known about the zipl of this machine."""
    if not machine.zipl_version_is_assumed:
        return ()
    message = (
        f"zipl is not installed in {machine.root}; its version is taken to be"
        f" {machine.zipl_version}"
    )
    return (PlanWarning("zipl-version", message),)


def _selection_warnings(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...]
) -> list[PlanWarning]:
    names = tuple(entry.name for entry in machine.configuration.entries)
    found = [
        PlanWarning("no-such-entry", f"no boot entry is called {pattern!r}, as the profile says")
        for pattern in profile.entries.unmatched(names)
    ]
    chosen = {EntryStatus.CHANGE, EntryStatus.UNCHANGED, EntryStatus.GENERATED}
    if plans and not any(plan.status in chosen for plan in plans):
        found.append(PlanWarning("no-entry", "the profile selects no boot entry of this machine"))
    return found
