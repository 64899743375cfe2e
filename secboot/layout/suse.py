"""SUSE: two stages, both generated from /etc/default/grub.

zipl boots a first system from /boot/zipl. grub2-zipl-setup generates its configuration from
/etc/default/zipl2grub.conf.in and /etc/default/grub. The initrd of the first system runs grub2-emu,
which starts the real kernel with the line from grub.cfg, which grub2-mkconfig generates from the
same file (openSUSE's grub2, util/s390x/zipl2grub.pl.in). So one file is edited, and two are
generated from it, each by a program that must run; each can be stale.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.grub_default import GrubDefault
from secboot.layout.layout import Layout, NewKernel
from secboot.layout.recognition import SUSE, Tree
from secboot.layout.suse_files import (
    FIRST_STAGE,
    GRUB_CFG,
    GRUB_DEFAULT,
    GRUBENV,
    MORE_OF_GRUB_CFG,
    SE_TEMPLATE,
    ZIPL_CONFIG,
)
from secboot.layout.suse_image import (
    LINUX,
    LINUX_DEFAULT,
    boots_image,
    image_build,
    key_files,
    plan_template,
)
from secboot.lines.changes import Command, StorePlan, edited_store, meets
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, Stores
from secboot.machine.sources import Sources, Unreadable
from secboot.profile.profile import EntrySelection, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.formats.grub_cfg import GrubCfg
    from secboot.ipl.boot_record import BootRecord
    from secboot.ipl.next_ipl import EntryState, NextIpl
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

_ALL_ENTRIES = "All boot entries and future kernels"
_ZIPL_REFUSES = (
    "grub2-zipl-setup copies a value with \\\" unchanged into zipl's configuration, which zipl"
    " refuses if the template has it in quotes"
)
_QUOTES_ARE_LOST = (
    "grub2-emu passes words to the kernel without their quotes, so a value with blanks is split"
)


def _grub_cfg(text: str, path: str) -> GrubCfg:
    from secboot.formats.grub_cfg import GrubCfg  # noqa: PLC0415 - for this distribution alone

    return GrubCfg.parse(text, path)


def _kernels(documents: Mapping[str, object]) -> tuple[str, ...]:
    from secboot.layout.suse_chain import grub_kernels  # noqa: PLC0415 - ditto

    return grub_kernels(documents)


class Suse(Layout):
    """/etc/default/grub is edited; grub.cfg and zipl's configuration are regenerated."""

    name = SUSE
    description = "SUSE's two stages (zipl, then grub2-emu)"
    sources = Sources(
        reads={GRUB_DEFAULT: GrubDefault.parse, SE_TEMPLATE: None},
        derived={
            GRUB_CFG: _grub_cfg,
            **dict.fromkeys((GRUBENV, *MORE_OF_GRUB_CFG), lambda text, _: text),
        },
        conf_path=ZIPL_CONFIG,
        kernels=("/boot",),
        generated=True,
        named=key_files,
        images=_kernels,
        later_kernels=True,
    )
    builds_image = True
    no_trial = "the entry to start is selected in the menu of grub.cfg, after zipl's, and both are generated"
    instead = "try the line once in the menu of grub2-emu (key e), then apply it without --trial"
    first_by = "grub2-mkconfig and grub2-zipl-setup, from /etc/default/grub"

    def __init__(self, tree: Tree, seen: tuple[str, ...]) -> None:
        """Prefer the programs themselves to ``update-bootloader``.

        update-bootloader reports success for a step that it skipped.
        """
        super().__init__(seen)
        mkconfig: tuple[str, ...] = ("grub2-mkconfig", "-o", GRUB_CFG)
        setup: tuple[str, ...] = ("grub2-zipl-setup",)
        update = tree.exists("/usr/sbin/update-bootloader")
        if update and not tree.exists("/usr/sbin/grub2-mkconfig"):
            mkconfig = ("update-bootloader", "--config")
        if update and not tree.exists("/usr/sbin/grub2-zipl-setup"):
            setup = ("update-bootloader", "--reinit")
        self._mkconfig = Command(
            mkconfig,
            f"{GRUB_CFG}, with which the second stage starts the kernel, has the old line",
        )
        self._setup = Command(
            setup, "the zipl configuration and the boot record of the first stage have the old line"
        )
        self.commit = (self._mkconfig, self._setup)

    @property
    def records(self) -> tuple[Command, ...]:
        """The program that runs zipl."""
        return (self._setup,)

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """All entries are generated, including those of new kernels."""
        document = machine.document(GRUB_DEFAULT, GrubDefault)
        if document is None:
            return NewKernel(f"{GRUB_DEFAULT} not found")
        try:
            _take_in(document, stores)
        except ParseError as error:
            return NewKernel(f"{error.location}: {error.message}")
        description = f"all entries are generated from {GRUB_DEFAULT}"
        return NewKernel(description, _as_started(_joined(stores)), _location(document))

    def next_ipl(self, machine: Machine, record: BootRecord, stores: Stores) -> NextIpl:
        """Return what zipl's sections start, and after the first stage the menu of grub.cfg."""
        from secboot.layout.suse_chain import FromVariables, Programs, chain  # noqa: PLC0415 - ditto

        variables = FromVariables(*_given(machine, stores))
        programs = Programs(self._mkconfig.argv, self._setup.argv)
        found = chain(machine, record, stores, variables, programs)
        by_hand = next((e for e in found.entries if e.image is not None and e.entry is None), None)
        if by_hand is not None and by_hand.is_default:
            return found
        renewal = image_build(machine, self._setup.argv[0])
        if by_hand is not None and renewal is not None:
            command = f"grub2-set-default {shlex.quote(by_hand.name)}"
            renewal = renewal._replace(remedy=f"make {by_hand.image} the default: {command}")
        return found._replace(renewal=renewal)

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Update the two variables to match the profile, then the template of the image's line."""
        default = _plan_variables(profile, machine, stores)
        template = plan_template(profile, machine, stores)
        return (default,) if template is None else (default, template)

    def entry_note(self, machine: Machine, entry: BootEntry, stores: Stores) -> str:
        """Return which stage a section of /boot/zipl/config is."""
        image = machine.secure_image(entry) is not None
        if not image and not stores.line(entry.parmline).named(FIRST_STAGE):
            stage = "boots the system in a single stage, without grub2-emu"
        else:
            stage = (
                f"the first stage{', a Secure Execution image' if image else ''}, whose grub2-emu"
                f" starts the real kernel with the line from {GRUB_CFG}"
            )
        if image:
            return f"{stage}; {self._setup.argv[0]} builds it with the line from {SE_TEMPLATE}"
        return f"{stage}; generated from {GRUB_DEFAULT}"

    def zipl_reads_files(self, machine: Machine) -> bool:
        """False if grub2-zipl-setup has yet to generate the configuration."""
        return machine.file(machine.conf_path) is not None

    def due(
        self,
        profile: Profile,
        machine: Machine,
        found: NextIpl,
        stores: Stores,
        changed: tuple[str, ...],
    ) -> tuple[Command, ...]:
        """Return both programs after a change, otherwise those whose output is stale."""
        if changed:
            return self.commit
        setup = Command(self._setup.argv, found.record.stale or "")
        stale = self.outdated(profile, machine, found, stores)
        if found.record.stale is None or setup.argv in {each.argv for each in stale}:
            return stale
        return (*stale, setup)

    def outdated(
        self, profile: Profile, machine: Machine, found: NextIpl, stores: Stores
    ) -> tuple[Command, ...]:
        """Return the programs for those of the two generated files that do not match the profile.

        This includes a file that can't start anything.
        """
        from secboot.layout.suse_chain import useless_menu  # noqa: PLC0415 - ditto

        stale = []
        reason = useless_menu(machine, found)
        if reason is None and any(_is_stale(profile, state, stores) for state in found.entries):
            reason = f"{GRUB_CFG} does not match {GRUB_DEFAULT}"
        if reason is not None:
            stale.append(Command(self._mkconfig.argv, reason))
        given = _given(machine, stores)[0]
        if any(_lacks(profile, entry, given, stores) for entry in _sections(machine)):
            reason = f"{machine.conf_path} does not match {GRUB_DEFAULT}"
            stale.append(Command(self._setup.argv, reason))
        elif _lacks_image(machine, found):
            reason = (
                f"{machine.conf_path} does not boot the Secure Execution image that {GRUB_DEFAULT}"
                " requires"
            )
            stale.append(Command(self._setup.argv, reason))
        return tuple(stale)

    def warnings(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Finding, ...]:
        """Warn about requirements that one file for all entries can't fulfil."""
        del stores
        found = []
        if profile.entries != EntrySelection(rescue=profile.entries.rescue):
            message = (
                f"the profile is for {profile.entries.describe()}, but {GRUB_DEFAULT} has one line"
                " for all boot entries"
            )
            found.append(Finding("all-entries", Severity.WARNING, message))
        unreadable = machine.document(GRUB_CFG, Unreadable)
        if unreadable is not None:
            message = f"the content of {GRUB_CFG} is unknown: {unreadable.reason}"
            found.append(Finding("grub-cfg", Severity.WARNING, message))
        return tuple(found)


def _take_in(document: GrubDefault, stores: Stores) -> tuple[Store, ...]:
    """Add the variables to the stores, once; return those that are assigned.

    Raises ParseError for a variable whose value is unknown.
    """
    for store in (LINUX, LINUX_DEFAULT):
        if store not in stores:
            assignment = document.get(store.section)
            if assignment is not None and assignment.value is None and assignment.problem:
                raise assignment.problem
            stores.add(store, None if assignment is None else assignment.value)
    return tuple(s for s in (LINUX, LINUX_DEFAULT) if stores.found(s) is not None)


def _location(document: GrubDefault) -> Location:
    own = document.get(LINUX_DEFAULT.section)
    return Location(GRUB_DEFAULT, None if own is None else own.number)


def _joined(stores: Stores) -> str:
    texts = (stores.text(LINUX), stores.text(LINUX_DEFAULT))
    return " ".join(text for text in texts if text is not None)


def _plan_variables(profile: Profile, machine: Machine, stores: Stores) -> StorePlan:
    """Update the two variables, which both stages get, to match the profile.

    Raises RefusedError or ParseError if the file can't be edited so that all programs that read it
    read the same value.
    """
    document = machine.document(GRUB_DEFAULT, GrubDefault)
    if document is None:
        raise RefusedError(
            f"{GRUB_DEFAULT}, from which the boot files are generated, was not found",
            hint="install grub2 (grub2-s390x-emu) before the kernel, then apply the profile again"
            if machine.awaits_kernel
            else "check whether this is the root directory of a complete system",
        )
    assigned = _take_in(document, stores)
    location = _location(document)
    line = ParameterLine(_ALL_ENTRIES, location, assigned, lambda: _joined(stores))
    before = stores.line(line.joined())
    if LINUX_DEFAULT not in assigned and not meets(profile, before):
        name = LINUX_DEFAULT.section
        raise RefusedError(
            f"{name} is not assigned",
            location=location,
            hint=f'add the line {name}="" to the file; without it, the programs'
            " that generate the boot files use their own defaults",
        )
    if assigned:
        fulfil_line(stores, line, profile.requirements)
    after = stores.line(line.joined())
    plan = edited_store(profile, _ALL_ENTRIES, location, before, after)
    started = _as_started(after.text)
    notes = [_ZIPL_REFUSES] if '"' in after.text else []
    met = started is not None and meets(profile, stores.line(started))
    if not met:
        notes.append(_QUOTES_ARE_LOST)
    return plan._replace(note="; ".join(notes), met=met)


def _sections(machine: Machine) -> Iterator[BootEntry]:
    """Yield the sections of zipl's configuration that have their own line."""
    for entry in machine.configuration.entries:
        if entry.image is not None and machine.secure_image(entry) is None:
            yield entry


def _lacks_image(machine: Machine, found: NextIpl) -> bool:
    """Whether grub2-zipl-setup has not yet built the image that its configuration requires."""
    renewal = found.renewal
    wanted = renewal is not None and renewal.wanted and renewal.secure is not False
    return wanted and not boots_image(machine)


def _lacks(profile: Profile, entry: BootEntry, given: str | None, stores: Stores) -> bool:
    """Whether a section lacks what the variables define.

    The template has its own words for the first stage, so the profile does not apply to it.
    """
    line = stores.line(entry.parmline)
    if not line.named(FIRST_STAGE):
        return not meets(profile, line)
    words = (given or "").replace('"', '\\"').split()
    held = line.text.split()
    return any(word not in held for word in words if not word.startswith("conmode="))


def _is_stale(profile: Profile, state: EntryState, stores: Stores) -> bool:
    """Whether grub.cfg starts an entry with a line that lacks what the variables define."""
    if state.generated is None or state.note:
        return False
    selected = profile.entries.judge(
        state.name, is_default=state.is_default, is_rescue=state.is_rescue
    )
    return selected and not meets(profile, stores.line(state.generated))


def _given(machine: Machine, stores: Stores) -> tuple[str | None, str | None]:
    """Return what the variables define for normal and for recovery entries; None if unknown."""
    document = machine.document(GRUB_DEFAULT, GrubDefault)
    if document is None:
        return None, None
    try:
        _take_in(document, stores)
    except ParseError:
        return None, None
    found = [stores.found(store) for store in (LINUX, LINUX_DEFAULT)]
    recovery = document.get("GRUB_CMDLINE_LINUX_RECOVERY")
    text = "single" if recovery is None else recovery.value
    return (
        " ".join(text for text in found if text is not None),
        None if text is None else f"{found[0] or ''} {text or 'single'}",
    )


def _as_started(text: str) -> str | None:
    """Return what the kernel receives of parameters in grub.cfg."""
    from secboot.formats.grub_cfg import parameters_in_script  # noqa: PLC0415 - ditto

    return parameters_in_script(text)
