"""SUSE's boot in two stages: one file is edited, two are generated from it, and may be stale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.grub_cfg import grub_kernels
from secboot.formats.grub_default import GrubDefault
from secboot.formats.kernel_cmdline import CommandLine
from secboot.layout.suse import GRUB_CFG, GRUB_DEFAULT, LINE_VARIABLES, SE_TEMPLATE
from secboot.lines.draft import Store, StoreKind, Subject
from secboot.lines.fulfil import fulfil_line
from secboot.plan.entries import edited_store, meets
from secboot.plan.model import Command, PlanWarning, StorePlan, StoreStatus
from secboot.profile.entries import EntrySelection

if TYPE_CHECKING:
    from secboot.ipl.boot_record import BootRecord
    from secboot.layout.model import Layout
    from secboot.lines.draft import Draft
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry

SEALED_NAME = "Sealed images that grub2-zipl-setup builds"
NAME = "All boot entries, and kernels installed later"
LINUX, LINUX_DEFAULT = (
    Store(StoreKind.GRUB_VARIABLE, GRUB_DEFAULT, name) for name in LINE_VARIABLES
)
_PLACEHOLDER = re.compile(r"@([^@\s]+)@")
_FIRST_STAGE = "initgrub"
"""The parameter with which the first system starts grub2-emu (dracut module 99grub2)."""


def plan_grub_default(profile: Profile, machine: Machine, draft: Draft) -> StorePlan:
    """Bring the two variables, which both stages get, to what the profile requires.

    Raises RefusedError and ParseError where the file can't be edited so that all of its readers
    read the same.
    """
    file = machine.file(GRUB_DEFAULT)
    if file is None:
        raise RefusedError(
            f"there is no {GRUB_DEFAULT}, from which the boot files are generated",
            hint="is this the root of a complete system?",
        )
    document = GrubDefault.parse(file.text, file.path)
    assigned = {store: document.get(store.section) for store in (LINUX, LINUX_DEFAULT)}
    for store, assignment in assigned.items():
        draft.add(store, None if assignment is None else assignment.value)
    own = assigned[LINUX_DEFAULT]
    location = Location(file.path, None if own is None else own.number)
    stores = tuple(store for store in (LINUX, LINUX_DEFAULT) if assigned[store] is not None)
    subject = Subject(NAME, location, stores, lambda: _joined(draft))
    before = CommandLine.parse(subject.joined())
    if own is None and not meets(profile, before):
        raise RefusedError(
            f"{LINUX_DEFAULT.section} is not assigned",
            location=location,
            hint=f'add the line {LINUX_DEFAULT.section}="" to the file; without it, the programs'
            " that generate the boot files use defaults of their own",
        )
    if stores:
        fulfil_line(draft, subject, profile.requirements)
    after = CommandLine.parse(subject.joined())
    return edited_store(profile, NAME, location, before, after)


def plan_sealed_template(profile: Profile, machine: Machine, draft: Draft) -> StorePlan | None:
    """Bring the template of a sealed image's parmfile to the profile; None where there is none.

    To be called after `plan_grub_default`, since the template names the variables as ``@NAME@``.
    That it is filled as the one of zipl2grub is, is an assumption: only the headline of SUSE's
    patch says how it is read.
    """
    file = machine.file(SE_TEMPLATE)
    if file is None:
        return None
    store = Store(StoreKind.PARMFILE, SE_TEMPLATE)
    draft.add(store, file.text)
    location = Location(file.path, 1)
    subject = Subject(SEALED_NAME, location, (store,), lambda: _filled(draft, store))
    before = CommandLine.parse(_filled(draft, store, found=True))
    fulfil_line(draft, subject, profile.requirements)
    after = CommandLine.parse(subject.joined())
    changed = draft.text(store) != file.text
    return edited_store(profile, SEALED_NAME, location, before, after)._replace(
        status=StoreStatus.CHANGE if changed else StoreStatus.UNCHANGED,
        note="" if changed or before.text == after.text else f"follows {GRUB_DEFAULT}",
    )


def stage_note(entry: BootEntry) -> str:
    """Say which stage a section of /boot/zipl/config is."""
    line = CommandLine.parse(entry.parmline or "")
    stage = (
        f"the first stage, whose grub2-emu starts the real kernel with the line from {GRUB_CFG}"
        if line.named(_FIRST_STAGE)
        else "boots the system in one stage, without grub2-emu"
    )
    return f"{stage}; generated from {GRUB_DEFAULT}"


def due_commands(
    profile: Profile, machine: Machine, layout: Layout, record: BootRecord, *, changed: bool
) -> tuple[Command, ...]:
    """Return the programs that have to run: both after a change, else those whose output is stale."""
    mkconfig, setup = layout.commit
    reasons = {
        mkconfig: _stale_grub_cfg(profile, machine),
        setup: _stale_zipl(profile, machine, record),
    }
    if changed:
        return tuple(Command(program.argv, program.reason) for program in (mkconfig, setup))
    return tuple(
        Command(program.argv, reason) for program, reason in reasons.items() if reason is not None
    )


def stage_warnings(profile: Profile, machine: Machine) -> tuple[PlanWarning, ...]:
    """Return what a profile asks that one file for all entries can't give."""
    found = []
    if profile.entries != EntrySelection(rescue=profile.entries.rescue):
        message = (
            f"the profile is for {profile.entries.describe()}; {GRUB_DEFAULT} holds one line for"
            " all of them"
        )
        found.append(PlanWarning("all-entries", message))
    if GRUB_CFG not in machine.derived:
        message = f"{GRUB_CFG} is missing or can't be read, so it is not known what it holds"
        found.append(PlanWarning("grub-cfg", message))
    return tuple(found)


def _stale_grub_cfg(profile: Profile, machine: Machine) -> str | None:
    file = machine.derived.get(GRUB_CFG)
    kernels = () if file is None else grub_kernels(file.text)
    if not kernels or meets(profile, CommandLine.parse(kernels[0].parameters)):
        return None
    return f"{GRUB_CFG} does not hold what {GRUB_DEFAULT} says"


def _stale_zipl(profile: Profile, machine: Machine, record: BootRecord) -> str | None:
    lines = [entry.parmline or "" for entry in machine.configuration.entries if entry.image]
    if not all(meets(profile, CommandLine.parse(line)) for line in lines):
        return f"{machine.conf_path} does not hold what {GRUB_DEFAULT} says"
    return record.stale


def _joined(draft: Draft) -> str:
    texts = (draft.text(LINUX), draft.text(LINUX_DEFAULT))
    return " ".join(text for text in texts if text is not None)


def _filled(draft: Draft, template: Store, *, found: bool = False) -> str:
    """Return the template with the variables' values, now or as planned; others are left out."""
    text = draft.found if found else draft.text
    values = {store.section: text(store) or "" for store in (LINUX, LINUX_DEFAULT)}
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), text(template) or "")
