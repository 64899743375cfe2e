"""What the next IPL can start, and with which parameter line.

The boot record decides, not the files: `next_ipl` returns the choices of the record, each with the
boot entry that it was made from, and the boot entries of the files, each with the choice that
starts it, or why none does. A layout with further stages after the record has its own function
(`secboot.layout.layout.Layout.next_ipl`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.ipl.boot_record import RecordState, numbers_of
from secboot.ipl.recorded_programs import other_files
from secboot.named_tuple import NamedTuple
from secboot.visible import visible
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.zipl_parameters import ZiplEnvironment
    from secboot.ipl.boot_record import BootRecord
    from secboot.ipl.recorded_programs import Match
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry, EntryToInstall


class Choice(NamedTuple):
    """One thing that the next IPL can start.

    `loadparm` is the LOADPARM that starts it, None if there is no choice. `line` is the parameter
    line that the kernel is started with, before ``${NAME}`` is replaced from `environment`; None if
    it is unknown, as in an encrypted Secure Execution image, or if no kernel is started. `location`
    is where the line is stored. `entry` is the boot entry that this was made from, None if unknown,
    and `kernel` the path of its image, if known. `through` is the entry of the first system that
    starts it, if there is one. `added` are words that `line` has in addition to the line of the
    entry. `orphaned` marks a program of the record that no boot entry describes, any more or yet; if
    only the ramdisk differs, `title` is the entry with its kernel. `secure` is whether it starts in
    Secure Execution, None if unknown. `unsure` says why something about this is uncertain, and
    `one_of` are the entries of which it is one, as far as known.
    """

    title: str
    line: str | None
    location: Location
    is_default: bool = False
    loadparm: str | None = None
    entry: BootEntry | None = None
    kernel: str | None = None
    added: str = ""
    environment: ZiplEnvironment | None = None
    secure: bool | None = None
    through: str = ""
    orphaned: bool = False
    unsure: str | None = None
    one_of: tuple[BootEntry, ...] = ()


class Absence(StrEnum):
    """Why the next IPL does not start a boot entry."""

    NO_RECORD = "no-record"
    DAMAGED_RECORD = "damaged-record"
    UNKNOWN_RECORD = "unknown-record"
    NOT_HELD = "not-in-record"
    OTHER_RAMDISK = "other-ramdisk"
    """The record starts its kernel with a different ramdisk."""
    INDISTINCT = "indistinct"
    """The record has some of several similar entries, and it is unknown which."""
    NOT_CHOSEN = "not-installed"
    """zipl does not install it: it is neither the default nor in the menu."""
    SKIPPED = "skipped"
    """It is optional, and one of its files is missing."""
    NO_MENU = "no-menu"
    """The file that selects what starts after the record does not exist."""
    KERNEL_GONE = "kernel-gone"
    """Its kernel does not exist, and the program that starts it reads the file itself."""
    OTHER_PROGRAM = "one-program"
    """The record was made from options and boots a single, different program."""


class EntryState(NamedTuple):
    """A boot entry as in the files, and as the next IPL starts it.

    `number` is its boot menu number according to the files. `configured` is its line according to
    the files, before ``${NAME}`` is replaced; None if unknown. `note` says why it is not judged, if
    profiles do not apply to it. `entry` is None if it is not an entry of zipl's configuration.
    `choice` is what starts it; if there is none, `absence` says why. `generated` is its line in a
    generated file that is read after the record, None without one. `programs` make the
    next IPL match the files; empty means those of the layout. `secure` is whether it starts in
    Secure Execution, None if unknown. `image` is the path of the Secure Execution image that it
    boots, which contains its line.
    """

    name: str
    location: Location
    configured: str | None
    choice: Choice | None
    absence: Absence | None = None
    number: int | None = None
    is_default: bool = False
    is_rescue: bool = False
    entry: BootEntry | None = None
    note: str = ""
    generated: str | None = None
    programs: tuple[tuple[str, ...], ...] = ()
    secure: bool | None = None
    image: str | None = None


class Renewal(NamedTuple):
    """The default after the next run of the program that generates zipl's configuration.

    `secure` is whether it starts in Secure Execution, None if unknown. `reason` says how this is
    known, and `remedy` how to make it start in Secure Execution. `wanted` is whether the file that
    the program reads enables Secure Execution.
    """

    program: str
    secure: bool | None
    wanted: bool
    reason: str
    remedy: str = ""


class NextIpl(NamedTuple):
    """What the next IPL can start. `choices` are in numerical order, `entries` in file order.

    `renewal` is None if the boot files alone determine the next default.
    """

    record: BootRecord
    choices: tuple[Choice, ...] = ()
    entries: tuple[EntryState, ...] = ()
    renewal: Renewal | None = None

    @property
    def default(self) -> Choice | None:
        """What an IPL starts when nobody chooses; None if unknown."""
        return next((choice for choice in self.choices if choice.is_default), None)


def is_meant_secure(machine: Machine, found: NextIpl) -> bool:
    """Whether it is or can be in Secure Execution, or is configured to build an image for that."""
    wanted = found.renewal is not None and found.renewal.wanted
    return wanted or is_or_can_be_secure(machine, found)


def is_or_can_be_secure(machine: Machine, found: NextIpl) -> bool:
    """Whether it is in Secure Execution, or has a Secure Execution image that can be booted."""
    entries, choices = (each.secure for each in found.entries), (c.secure for c in found.choices)
    return machine.secure_guest or any(entries) or any(choices)


def next_ipl(machine: Machine, record: BootRecord) -> NextIpl:
    """Return the choices of the record, together with the boot entries of zipl's configuration."""
    matches = sorted(record.matches, key=lambda match: match.number)
    choices = tuple(_choice(machine, record, match) for match in matches)
    made_from = {}
    for match, choice in reversed(list(zip(matches, choices, strict=True))):
        held = match.candidates if match.surplus else () if match.entry is None else (match.entry,)
        for entry in held:
            made_from[entry.location] = choice
    if not machine.configured:
        return NextIpl(record, choices, tuple(map(_unconfigured, choices)))
    # An entry with two menu numbers is looked up under the first.
    to_install = {each.entry.location: each for each in reversed(machine.configuration.to_install)}
    return NextIpl(
        record,
        choices,
        tuple(
            _state(
                machine,
                entry,
                made_from.get(entry.location),
                to_install.get(entry.location),
                record,
            )
            for entry in machine.configuration.entries
        ),
    )


def _choice(machine: Machine, record: BootRecord, match: Match) -> Choice:
    entry, program, bootmap = match.entry, match.program, record.bootmap
    one_of = match.candidates if entry is None else (entry,)
    images = [image for image in map(machine.secure_image, one_of) if image is not None]
    secure = {machine.is_secure(each) for each in one_of}
    kernel = entry or next(
        (each.entry for each in record.instead if each.program.numbers == program.numbers), None
    )
    unsure = _one_of(match) if match.candidates else None
    if match.number in record.kernels:
        unsure = f"its kernel has the size of {visible(record.kernels[match.number])}"
    if entry is None and kernel is not None:
        unsure = ", ".join(other_files(kernel, program, machine.facts))
    line, location = program.parmline, Location(record.path)
    if images:
        line = None if entry is None else images[0].parameters
        location = location if entry is None else Location(_image(entry))
    return Choice(
        title="" if kernel is None else kernel.name,
        line=line,
        location=location,
        is_default=program.is_default,
        loadparm=str(match.number) if match.number else None,
        entry=entry,
        kernel=None if entry is None else _image(entry) or None,
        added="" if images else match.added or "",
        environment=None if bootmap is None or images else bootmap.environment,
        secure=secure.pop() if len(secure) == 1 else None,
        orphaned=entry is None and not match.candidates and _is_described(machine),
        unsure=unsure,
        one_of=match.candidates,
    )


def _is_described(machine: Machine) -> bool:
    """Whether boot files should describe what is installed; not if they are yet to be generated."""
    return machine.configured and not (
        machine.sources.generated and not machine.configuration.entries
    )


def _image(entry: BootEntry) -> str:
    return "" if entry.image is None else entry.image.path


def _one_of(match: Match) -> str:
    gone = ", or one that the boot files do not have" if match.surplus else ""
    return f"it is one of these, and it is unknown which: {_names(match.candidates)}{gone}"


def _names(entries: tuple[BootEntry, ...]) -> str:
    return ", ".join(f"'{visible(entry.name)}'" for entry in entries)


def _unconfigured(choice: Choice) -> EntryState:
    """Return the state of a choice of a record without any configuration."""
    name = f"number {choice.loadparm}" if choice.loadparm else "the program in the boot record"
    return EntryState(name, choice.location, None, choice, is_default=choice.is_default)


def _state(
    machine: Machine,
    entry: BootEntry,
    choice: Choice | None,
    to_install: EntryToInstall | None,
    record: BootRecord,
) -> EntryState:
    unread = entry.parmline is None and entry.parmfile is not None
    image = None if machine.secure_image(entry) is None else _image(entry)
    no_line = unread or entry.kind is not EntryKind.IPL or image is not None
    return EntryState(
        name=entry.name,
        location=entry.location,
        configured=None if no_line else entry.parmline or "",
        choice=choice,
        absence=None if choice is not None else _absence(entry, to_install, record),
        number=entry.menu_position,
        is_default=entry.is_default,
        is_rescue=entry.is_rescue,
        entry=entry,
        secure=machine.is_secure(entry),
        image=image,
    )


def _absence(entry: BootEntry, to_install: EntryToInstall | None, record: BootRecord) -> Absence:
    """Return why no program of the record was made from the entry."""
    if record.state is not RecordState.READ:
        return {
            RecordState.MISSING: Absence.NO_RECORD,
            RecordState.DAMAGED: Absence.DAMAGED_RECORD,
        }.get(record.state, Absence.UNKNOWN_RECORD)
    if to_install is None:
        return Absence.NOT_CHOSEN
    if to_install.skipped:
        return Absence.SKIPPED
    if entry.location in {each.location for each in record.indistinct}:
        return Absence.INDISTINCT
    if any(each.entry == entry for each in record.instead):
        return Absence.OTHER_RAMDISK
    known = any(match.entry is not None for match in record.matches)
    other = record.from_options and known and not entry.is_default
    return Absence.OTHER_PROGRAM if other else Absence.NOT_HELD


OF_THE_RECORD = frozenset({"record-lacks-entry", "record-boots-other", "record-default"})
"""The codes of the problems of a record that `findings` yields."""


def findings(found: NextIpl) -> Iterator[Finding]:
    """Yield problems and notes about what the record starts."""
    record = found.record
    if record.indistinct:
        names = _names(record.indistinct)
        message = (
            f"{record.path} contains only some of these entries, and it is unknown which: {names}"
        )
        yield Finding("record-lacks-entry", Severity.ERROR, message)
    for choice in found.choices:
        if choice.orphaned:
            yield _orphaned(choice)
    surplus = [match for match in record.matches if match.surplus]
    if surplus:
        message = (
            f"the boot files have no entry for one of {numbers_of(surplus)} of {record.path};"
            " what it boots is unknown"
        )
        yield Finding("record-boots-other", Severity.ERROR, message)
    yield from _other_default(found)
    if record.from_options:
        yield from map(_from_options, record.matches)


def _orphaned(choice: Choice) -> Finding:
    """Return the finding about a program that no boot entry describes."""
    which = f"number {choice.loadparm} of" if choice.loadparm else "the program in"
    what = "a kernel that no boot entry has"
    if choice.title:
        what = f"'{visible(choice.title)}' {choice.unsure}"
    elif choice.unsure is not None:
        what = f"a line that no boot entry has ({choice.unsure})"
    return Finding("record-boots-other", Severity.ERROR, f"{which} {choice.location} boots {what}")


def _other_default(found: NextIpl) -> Iterator[Finding]:
    """Report a record whose default entry differs from that of the files."""
    by_files = next((each for each in found.entries if each.is_default), None)
    starts = found.default
    if by_files is None or starts is None or starts.orphaned or by_files.choice == starts:
        return
    if by_files.absence is Absence.KERNEL_GONE or by_files.entry in starts.one_of:
        return
    if by_files.entry is not None and by_files.entry == starts.entry:
        return  # it has two menu numbers
    what = f"'{visible(starts.title)}'" if starts.title else f"one of {_names(starts.one_of)}"
    if not (starts.title or starts.one_of):
        return
    message = (
        f"the next IPL starts {what} by default,"
        f" not '{visible(by_files.name)}', the default in the boot files"
    )
    yield Finding("record-default", Severity.ERROR, message)


def _from_options(match: Match) -> Finding:
    message = (
        "the boot record was made from command-line options of zipl, not from the boot entries"
    )
    if match.entry is not None:
        what = "kernel" if match.added is None else "line"
        message += f"; its {what} is that of '{visible(match.entry.name)}'"
    if match.added:
        message += f", with '{visible(match.added)}' added"
    return Finding("record-from-options", Severity.NOTE, message)
