"""What SUSE's two stages start: zipl's sections, and after the first stage the menu of grub.cfg.

A section with ``initgrub`` in its line boots a system whose initrd runs grub2-emu (dracut module
99grub2), which starts the kernel of a menu entry. LOADPARM selects it: zipl reads the number
before the ``g``, and grub.cfg (00_header on s390x) uses the part after it as its default, counted
from 0, with a ``.`` before each submenu level: ``1g2``, ``1g1.0``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.grub_cfg import GrubCfg, GrubMenu, MenuEntry, parameters_in_script
from secboot.ipl.boot_record import RecordState
from secboot.ipl.next_ipl import Absence, Choice, EntryState, NextIpl, next_ipl
from secboot.layout.suse_files import FIRST_STAGE, GRUB_CFG, GRUB_DEFAULT, GRUBENV, MORE_OF_GRUB_CFG
from secboot.machine.kernel_files import release_of
from secboot.machine.sources import Unreadable
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.formats.grub_variables import Files
    from secboot.formats.kernel_image import SecureImage
    from secboot.ipl.boot_record import BootRecord
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

_LOADPARM = "/sys/firmware/ipl/loadparm"
_LONGEST_LOADPARM = 8
_LINUX_SCRIPT = "/etc/grub.d/10_linux"
_RECOVERY = re.compile(r"-recovery(?:-|$)|\(recovery mode\)")
_OWN = re.compile(r"(?:root|rootflags|conmode)=\S*|ro|rw")
"""Words at the start of a line that do not come from the variables."""


_ABSENT = {
    RecordState.MISSING: Absence.NO_RECORD,
    RecordState.DAMAGED: Absence.DAMAGED_RECORD,
    RecordState.UNKNOWN: Absence.UNKNOWN_RECORD,
}
"""Why no first stage is started, by the state of the boot record."""


class FromVariables(NamedTuple):
    """What /etc/default/grub defines for normal and for recovery entries; None if unknown."""

    normal: str | None
    recovery: str | None


class Programs(NamedTuple):
    """The program that generates grub.cfg, and the one for zipl's configuration and boot record."""

    mkconfig: tuple[str, ...]
    setup: tuple[str, ...]


def grub_menu(documents: Mapping[str, object]) -> GrubMenu:
    """Return the menu of grub.cfg, as it is without LOADPARM."""
    document = documents.get(GRUB_CFG)
    if not isinstance(document, GrubCfg):
        missing = f"{GRUB_CFG} not found"
        reason = document.reason if isinstance(document, Unreadable) else missing
        return GrubMenu((), None, reason)
    files: Files = {_LOADPARM: None}
    for path in (GRUBENV, *MORE_OF_GRUB_CFG):
        text = documents.get(path)
        if not isinstance(text, Unreadable):
            files[path] = text if isinstance(text, str) else None
    return document.menu(files)


def grub_kernels(documents: Mapping[str, object]) -> tuple[str, ...]:
    """Return the kernels that grub.cfg starts, which can be Secure Execution images."""
    named = (entry.kernel for entry in grub_menu(documents).walk())
    return tuple(dict.fromkeys(path for path in named if path is not None))


def is_first_stage(machine: Machine, entry: BootEntry, stores: Stores) -> bool:
    """Whether a zipl section starts grub2-emu; the image of grub2-zipl-setup does so as well."""
    return machine.secure_image(entry) is not None or bool(
        stores.line(entry.parmline).named(FIRST_STAGE)
    )


def is_generated(machine: Machine, entry: MenuEntry) -> bool:
    """Whether a menu entry was generated from the variables of /etc/default/grub."""
    document = machine.document(GRUB_CFG, GrubCfg)
    if entry.path != GRUB_CFG or document is None:
        return False
    return entry.script == _LINUX_SCRIPT or not document.scripts


def gone_kernels(machine: Machine, menu: GrubMenu) -> frozenset[str]:
    """Return the entries' kernels that were removed: missing from a directory that has others.

    If /boot is a separate partition, the entries name paths inside it.
    """
    there = frozenset(machine.kernel_files.kernels)
    directories = {path.rpartition("/")[0] for path in there}
    named = {entry.kernel for entry in menu.walk() if entry.kernel is not None}

    def is_gone(path: str) -> bool:
        places = (path, f"/boot{path}")
        known = any(place.rpartition("/")[0] in directories for place in places)
        return release_of(path) is not None and known and there.isdisjoint(places)

    return frozenset(filter(is_gone, named))


def useless_menu(machine: Machine, found: NextIpl) -> str | None:
    """Return why grub.cfg can't start anything with the existing files; None if it can."""
    if GRUB_CFG not in machine.documents:
        return f"{GRUB_CFG} not found"
    document = machine.document(GRUB_CFG, GrubCfg)
    if document is None:
        return None
    if document.problem is not None:
        return f"GRUB can't read {document.problem.location}: {document.problem.message}"
    if not document.statements:
        return f"{GRUB_CFG} is empty"
    for state in found.entries:
        if state.absence is Absence.KERNEL_GONE and not state.note:
            return f"{GRUB_CFG} starts a kernel that does not exist"
    return None


def is_recovery(entry: MenuEntry, variables: FromVariables) -> bool:
    """Whether this is a recovery entry: by its id, its title or its line."""
    if _RECOVERY.search(entry.id or entry.title) is not None:
        return True
    line, recovery = entry.parameters, variables.recovery
    return line is not None and recovery is not None and _with(line, recovery) == line


def chain(
    machine: Machine,
    record: BootRecord,
    stores: Stores,
    variables: FromVariables,
    programs: Programs,
) -> NextIpl:
    """Return what the boot record starts, and what the entries of grub.cfg start after it."""
    base = next_ipl(machine, record)
    menu = grub_menu(machine.documents)
    gone = gone_kernels(machine, menu)
    choices: list[Choice] = []
    second: dict[tuple[int, ...], Choice] = {}
    for choice in base.choices:
        if _starts_grub(choice, stores):
            for place, each in _second_stage(machine, choice, menu, gone):
                choices.append(each)
                if place not in second or each.is_default:
                    second[place] = each
        else:
            choices.append(choice)
    entries = _menu_entries(machine, menu, second, variables, base, gone)
    sections = (_section(machine, state, stores, variables, programs) for state in base.entries)
    by_mkconfig = second or record.state is RecordState.UNKNOWN
    renewed = (programs.mkconfig if by_mkconfig else programs.setup,)
    states = tuple(each._replace(programs=renewed) for each in entries)
    return base._replace(choices=tuple(choices), entries=(*states, *sections))


def _starts_grub(choice: Choice, stores: Stores) -> bool:
    """Whether a program of the boot record starts GRUB; not if its kernel was replaced."""
    if choice.orphaned:
        return False
    if choice.secure and choice.entry is not None:
        return True
    return bool(stores.line(choice.line).named(FIRST_STAGE))


def _second_stage(
    machine: Machine, first: Choice, menu: GrubMenu, gone: frozenset[str]
) -> Iterator[tuple[tuple[int, ...], Choice]]:
    """Yield the choices in grub2-emu when zipl starts `first`."""
    name = f" ({first.title})" if first.title and not first.is_default else ""
    if menu.default is None:
        yield (), _unknown(first, menu)
    entries = list(menu.walk())
    if not first.is_default:
        # The entry that a LOADPARM without a part for GRUB's menu starts comes first.
        entries.sort(key=lambda each: each != menu.default)
    for entry in entries:
        chosen, image = entry == menu.default, _image(machine, entry)
        yield (
            entry.place,
            Choice(
                title=entry.title + name,
                line=entry.parameters if image is None else image.parameters,
                location=_location(entry),
                is_default=first.is_default and chosen,
                loadparm=_loadparm(first.loadparm, entry.place),
                kernel=entry.kernel,
                secure=first.secure if image is None else True,
                through=first.title,
                unsure=_unsure(entry, gone, once=chosen and menu.once),
            ),
        )


def _image(machine: Machine, entry: MenuEntry) -> SecureImage | None:
    """Return the Secure Execution image that grub2-emu starts (as IBM documents, in 40_custom)."""
    image = None if entry.kernel is None else machine.images.get(entry.kernel)
    return None if image is None else image.secure


def _unsure(entry: MenuEntry, gone: frozenset[str], *, once: bool) -> str | None:
    """Return why an entry may not start as it appears, or None."""
    found = entry.doubt or entry.unsure
    if found is None and entry.kernel in gone:
        return f"{entry.kernel} does not exist"
    if found is None and once:
        return f"the default for the next boot only, according to {GRUBENV} (grub2-once)"
    return found


def _unknown(first: Choice, menu: GrubMenu) -> Choice:
    """Return the choice that stands for an unknown default."""
    return Choice(
        title="",
        line=None,
        location=Location(GRUB_CFG),
        is_default=first.is_default,
        loadparm=first.loadparm,
        secure=first.secure,
        through=first.title,
        unsure=f"the default of {GRUB_CFG} is unknown: {menu.unsure}",
    )


def _location(entry: MenuEntry) -> Location:
    return Location(entry.path, entry.linux_number or entry.number or None)


def _loadparm(first: str | None, place: tuple[int, ...]) -> str | None:
    """Return the LOADPARM that selects a menu entry; None if it does not fit."""
    text = f"{first or 0}g{'.'.join(map(str, place))}"
    return text if len(text) <= _LONGEST_LOADPARM else None


def _menu_entries(
    machine: Machine,
    menu: GrubMenu,
    second: dict[tuple[int, ...], Choice],
    variables: FromVariables,
    base: NextIpl,
    gone: frozenset[str],
) -> Iterator[EntryState]:
    default_section = next((each for each in base.entries if each.is_default), None)
    absence = None if second else _ABSENT.get(base.record.state, Absence.NOT_HELD)
    by_default = default_section is None or not _is_other(default_section)
    first = None if default_section is None else default_section.secure
    if menu.default is None:
        missing = absence is None and GRUB_CFG not in machine.documents
        yield EntryState(
            f"the default of {GRUB_CFG}",
            Location(GRUB_CFG),
            variables.normal,
            None if missing else second.get(()),
            Absence.NO_MENU if missing else absence,
            is_default=by_default,
            secure=first,
        )
    for entry in menu.walk():
        if entry.kernel is None and entry.unsure is None:
            continue
        chosen, started = entry == menu.default, second.get(entry.place)
        is_gone = absence is None and entry.kernel in gone
        image = None if _image(machine, entry) is None else entry.kernel
        secure = started.secure if started is not None else first or image is not None
        yield EntryState(
            name=entry.title,
            location=_location(entry),
            configured=None if image else _configured(machine, entry, variables),
            choice=None if is_gone else started,
            absence=Absence.KERNEL_GONE if is_gone else absence,
            is_default=chosen and by_default,
            is_rescue=is_recovery(entry, variables),
            note="" if image else _note(machine, entry, variables, chosen=chosen),
            generated=entry.parameters if is_generated(machine, entry) and not image else None,
            secure=secure,
            image=image,
        )


def _is_other(state: EntryState) -> bool:
    return state.entry is not None and FIRST_STAGE not in (state.entry.parmline or FIRST_STAGE)


def _configured(machine: Machine, entry: MenuEntry, variables: FromVariables) -> str | None:
    """Return the line that the variables define for the entry; its own line if not generated."""
    if not is_generated(machine, entry):
        return entry.parameters
    wanted = variables.recovery if is_recovery(entry, variables) else variables.normal
    got = None if wanted is None else parameters_in_script(wanted)
    return None if got is None else _with(entry.parameters or "", got)


def _with(line: str, got: str) -> str:
    """Return a generated line updated to the current variables; unchanged if it is up to date."""
    words, given = line.split(), got.split()
    own = 0
    while own < len(words) and _OWN.fullmatch(words[own]):
        own += 1
    if any(words == [*words[:n], *given] for n in range(own + 1)):
        return line
    return " ".join([*words[:own], got])


def _note(machine: Machine, entry: MenuEntry, variables: FromVariables, *, chosen: bool) -> str:
    if chosen:
        return ""
    if not is_generated(machine, entry):
        return f"from {entry.script or entry.path}, not from {GRUB_DEFAULT}: change it there"
    if is_recovery(entry, variables):
        return "a recovery entry, which does not use GRUB_CMDLINE_LINUX_DEFAULT"
    return ""


def _section(
    machine: Machine,
    state: EntryState,
    stores: Stores,
    variables: FromVariables,
    programs: Programs,
) -> EntryState:
    """Return a zipl section; the first stage is not judged, since its line is not the kernel's."""
    state = state._replace(programs=(programs.setup,))
    if state.entry is None or not is_first_stage(machine, state.entry, stores):
        if state.configured is None or variables.normal is None:
            return state
        filled = variables.normal.replace('"', '\\"')
        return state._replace(configured=_with(state.configured, filled))
    note = f"the first stage, whose grub2-emu starts the kernel with the line from {GRUB_CFG}"
    return state._replace(note=note, is_default=False)
