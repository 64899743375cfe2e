"""The plan for an image before its kernel: what kernels inherit that are installed later.

There is no boot entry to edit yet. What the layout keeps for later kernels is brought to the profile,
and the profile becomes the one in force, so that `secboot keep`, which the hooks for kernel packages
call, brings each new entry to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.text import encoded
from secboot.lines.changes import StorePlan, StoreStatus
from secboot.lines.stores import stores_of
from secboot.plan.file_changes import file_changes, inputs_of
from secboot.plan.plan import BEFORE_KERNEL, Plan, ProfileReference
from secboot.profile.declared import DECLARED, DeclaredProfile
from secboot.profile.search import reference_to
from secboot.system.files import FileChange
from secboot.visible import visible
from secboot.zipl.refusal import OF_NO_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

IN_FORCE = "Profile in force, to which each new boot entry is brought"


def plan_before_kernel(profile: Profile, machine: Machine, layout: Layout) -> Plan:
    """Return what it takes so that future kernels get what the profile asks.

    Raises RefusedError where a line can't be brought to the profile, or a file can't be made.
    """
    stores = stores_of(machine)
    store_plans = layout.plan_stores(profile, machine, stores)
    # Words are no profile that could be in force.
    in_force, declared = (None, None) if profile.words else _in_force(profile, machine)
    files = file_changes(machine, stores)
    return Plan(
        profile=ProfileReference.of(profile),
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=(),
        files=files if declared is None else (*files, declared),
        commands=(),
        warnings=(
            Finding(
                BEFORE_KERNEL,
                Severity.NOTE,
                "there is no boot entry and no kernel yet: kernels that are installed later get"
                " what is set here",
            ),
            *_refused(machine),
            *layout.warnings(profile, machine, stores),
        ),
        inputs=inputs_of(machine),
        stores=store_plans if in_force is None else (*store_plans, in_force),
    )


def _refused(machine: Machine) -> Iterator[Finding]:
    """What is wrong with a zipl.conf that is there already, but that nothing can be booted yet."""
    there = machine.file(machine.conf_path) is not None
    for problem in machine.configuration.problems if there else ():
        if problem.code not in OF_NO_ENTRY:
            message = f"zipl will refuse this: {problem.message}"
            yield problem._replace(severity=Severity.WARNING, message=message)


def _in_force(profile: Profile, machine: Machine) -> tuple[StorePlan, FileChange | None]:
    """Make the profile the one in force, which takes a name that it is found by."""
    document = machine.document(DECLARED, DeclaredProfile)
    held = document or DeclaredProfile(())
    location = Location(DECLARED)
    if reference_to(profile) != profile.name:
        note = (
            f"not changed: {visible(profile.path)} has no name to find it by; put it into"
            " /etc/secboot/profiles inside the root, and apply it by its name"
        )
        return StorePlan(IN_FORCE, location, StoreStatus.NONE, note, None), None
    if held.names == (profile.name,):
        return StorePlan(IN_FORCE, location, StoreStatus.UNCHANGED, profile.name, met=True), None
    name = held.name() if held.names else ""
    note = f"{visible(name)} -> {profile.name}" if name else profile.name
    after = encoded(held.with_name(profile.name).render())
    plan = StorePlan(IN_FORCE, location, StoreStatus.CHANGE, note, met=True)
    return plan, _change(machine, after)


def _change(machine: Machine, after: bytes) -> FileChange:
    file = machine.file(DECLARED)
    if file is None and machine.bare is not None:
        return FileChange(DECLARED, machine.bare.place(DECLARED), None, after)
    if file is None:
        raise LookupError(DECLARED)
    return FileChange(DECLARED, file.real_path, file.data, after)
