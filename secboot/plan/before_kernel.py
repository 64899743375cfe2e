"""The plan for a system that has no kernel yet: what future kernels inherit.

There is no boot entry to edit yet. The layout's files for future kernels are updated to match the
profile, and the profile becomes the active one. So `secboot keep`, which the hooks for kernel
packages call, applies it to each new entry.
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

ACTIVE = "Active profile for new boot entries"


def plan_before_kernel(profile: Profile, machine: Machine, layout: Layout) -> Plan:
    """Return the plan with which future kernels get what the profile requires.

    Raises RefusedError if a line cannot be updated to match the profile, or a file cannot be created.
    """
    stores = stores_of(machine)
    store_plans = layout.plan_stores(profile, machine, stores)
    # The words of `secboot set` cannot be the active profile.
    active, declared = (None, None) if profile.words else _active(profile, machine)
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
                "no boot entry and no kernel found: the plan is for future kernels",
            ),
            *_refused(machine),
            *layout.warnings(profile, machine, stores),
        ),
        inputs=inputs_of(machine),
        stores=store_plans if active is None else (*store_plans, active),
    )


def _refused(machine: Machine) -> Iterator[Finding]:
    """Yield what is wrong with an existing zipl.conf, except that it boots nothing yet."""
    there = machine.file(machine.conf_path) is not None
    for problem in machine.configuration.problems if there else ():
        if problem.code not in OF_NO_ENTRY:
            message = f"zipl will refuse this: {problem.message}"
            yield problem._replace(severity=Severity.WARNING, message=message)


def _active(profile: Profile, machine: Machine) -> tuple[StorePlan, FileChange | None]:
    """Make the profile the active one, which needs a name by which it is found."""
    document = machine.document(DECLARED, DeclaredProfile)
    held = document or DeclaredProfile(())
    location = Location(DECLARED)
    if reference_to(profile) != profile.name:
        note = (
            f"not changed: {visible(profile.path)} is not in a directory where profiles are found by"
            " name; put it in /etc/secboot/profiles inside the root, and apply it by name"
        )
        return StorePlan(ACTIVE, location, StoreStatus.NONE, note, None), None
    if held.names == (profile.name,):
        return StorePlan(ACTIVE, location, StoreStatus.UNCHANGED, profile.name, met=True), None
    name = held.name() if held.names else ""
    note = f"{visible(name)} -> {profile.name}" if name else profile.name
    after = encoded(held.with_name(profile.name).render())
    plan = StorePlan(ACTIVE, location, StoreStatus.CHANGE, note, met=True)
    return plan, _change(machine, after)


def _change(machine: Machine, after: bytes) -> FileChange:
    file = machine.file(DECLARED)
    if file is None and machine.bare is not None:
        return FileChange(DECLARED, machine.bare.place(DECLARED), None, after)
    if file is None:
        raise LookupError(DECLARED)
    return FileChange(DECLARED, file.real_path, file.data, after)
