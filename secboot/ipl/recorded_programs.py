"""Which boot entry a program of the boot record was made from.

The record holds no names, so they are matched by what they are: the parameter line, and the
sizes of kernel and ramdisk, which zipl notes for its loader. Sizes alone are enough for an entry
whose line was edited since; a line alone is not, because after a kernel update all entries of a
machine have the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.zipl.file_facts import PathKind
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.formats.bootmap import Program
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry, EntryToInstall, LoadedFile
    from secboot.zipl.file_facts import FileFacts

    Facts = Mapping[str, FileFacts]


class Match(NamedTuple):
    """A program of the record with the boot entry that it was made from; None for no entry.

    `candidates` are several entries alike, of which it is one. `same_line` is whether the entry
    still says what the record holds. `added` is what the record's line has beyond the entry's,
    behind it; None where it does not begin with that.
    """

    program: Program
    entry: BootEntry | None = None
    same_line: bool = False
    added: str | None = None
    candidates: tuple[BootEntry, ...] = ()

    @property
    def number(self) -> int:
        """Its menu number; 0 without a menu."""
        return max(self.program.numbers)


class Matching(NamedTuple):
    """All programs, in the order of the record, and what has no partner.

    `in_order` are the matches of the entries to install, where every one has one. `younger` are
    kernels and ramdisks of matched entries that changed after the record was written. `instead`
    has entries that are lacking, each with the program that has its number and its line, and
    boots other files.
    """

    matches: tuple[Match, ...]
    in_order: tuple[Match, ...]
    lacking: tuple[BootEntry, ...]
    indistinct: tuple[BootEntry, ...]
    younger: tuple[str, ...]
    instead: tuple[Match, ...]


class _Pairs:
    """Entries to install, by their place in that order, and programs, as far as they are matched."""

    def __init__(
        self, programs: Sequence[Program], expected: Sequence[EntryToInstall], facts: Facts
    ) -> None:
        self.free = sorted(programs, key=lambda program: max(program.numbers))
        self.expected = expected
        self.facts = facts
        self.found: dict[int, Program] = {}
        self.indistinct: dict[int, None] = {}
        self.candidates: dict[tuple[int, ...], tuple[BootEntry, ...]] = {}

    def left(self) -> list[int]:
        """The places of the entries that have no program yet."""
        taken = self.found.keys() | self.indistinct.keys()
        return [n for n in range(len(self.expected)) if n not in taken]

    def entry(self, place: int) -> BootEntry:
        return self.expected[place].entry

    def pair(self, place: int, program: Program) -> None:
        self.free.remove(program)
        self.found[place] = program


def match_programs(
    programs: Sequence[Program], expected: Sequence[EntryToInstall], facts: Facts, written: int
) -> Matching:
    """Match the programs of a record with the entries that zipl would install.

    `facts` are those of kernels and ramdisks; `written` is when the record was, in nanoseconds. A
    file that is younger was not read for it.
    """
    pairs = _Pairs(programs, expected, facts)
    _match_whole(pairs, written)
    _match_by_kernel(pairs, written)
    return _matching(pairs, programs, written)


def _match_whole(pairs: _Pairs, written: int) -> None:
    """Match those of one line and one kernel, in their order.

    Of more such entries than programs, those with younger files are what was added since. If that
    does not tell, nothing does.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for place in pairs.left():
        entry = pairs.entry(place)
        groups.setdefault((entry.parmline or "", *_sizes(entry, pairs.facts)), []).append(place)
    # Entries whose kernels can't be looked at take what the others leave.
    for key in sorted(groups, key=lambda key: None in key):
        members = groups[key]
        fitting = [
            program
            for program in pairs.free
            if _same_kernel(pairs.entry(members[0]), program, pairs.facts)
            and _same_line(pairs.entry(members[0]), program)
        ]
        if len(members) > len(fitting):
            members = [p for p in members if not _younger(pairs.entry(p), pairs.facts, written)]
        if fitting and len(members) > len(fitting):
            pairs.indistinct.update(dict.fromkeys(members))
            for program in fitting:
                pairs.free.remove(program)
                pairs.candidates[program.numbers] = tuple(map(pairs.entry, members))
            continue
        for place, program in zip(members, fitting, strict=False):
            pairs.pair(place, program)


def _match_by_kernel(pairs: _Pairs, written: int) -> None:
    """Match what has another line now, at the same number if there is one."""
    for place in pairs.left():
        entry = pairs.entry(place)
        if _younger(entry, pairs.facts, written):
            continue
        fitting = [p for p in pairs.free if _same_kernel(entry, p, pairs.facts)]
        number = pairs.expected[place].position or 0
        fitting.sort(key=lambda program: number not in program.numbers)
        if fitting:
            pairs.pair(place, fitting[0])


def _matching(pairs: _Pairs, programs: Sequence[Program], written: int) -> Matching:
    places = {program.numbers: place for place, program in pairs.found.items()}
    matches = []
    for program in programs:
        place = places.get(program.numbers)
        if place is None:
            candidates = pairs.candidates.get(program.numbers, ())
            matches.append(Match(program, candidates=candidates))
        else:
            matches.append(match(program, pairs.entry(place)))
    younger: dict[str, None] = {}
    for place in pairs.found:
        younger |= dict.fromkeys(_younger(pairs.entry(place), pairs.facts, written))
    left = pairs.left()
    at_their_place = ((place, _same_place(pairs, place)) for place in left)
    return Matching(
        tuple(matches),
        tuple(match(pairs.found[n], pairs.entry(n)) for n in sorted(pairs.found)),
        tuple(pairs.entry(place) for place in left),
        tuple(pairs.entry(place) for place in pairs.indistinct),
        tuple(younger),
        tuple(match(p, pairs.entry(place)) for place, p in at_their_place if p is not None),
    )


def match(program: Program, entry: BootEntry) -> Match:
    """Compare the line of a program with that of its entry."""
    return Match(program, entry, _same_line(entry, program), _added(entry, program))


def match_options(program: Program, machine: Machine) -> Match:
    """Find the entry whose kernel the only program of a record boots, by default the default's.

    Such a record was made from options of zipl(8), as image builders do, with the entry's line or
    a longer one.
    """
    entries = [
        entry
        for entry in machine.configuration.entries
        if entry.image is not None and _same_kernel(entry, program, machine.facts)
    ]
    if not entries:
        return Match(program)
    entries.sort(
        key=lambda e: (_added(e, program) is None, not _same_line(e, program), not e.is_default)
    )
    return match(program, entries[0])


def _same_place(pairs: _Pairs, place: int) -> Program | None:
    """The program of an entry's number and line, which boots a file that is no longer there."""
    number, entry = pairs.expected[place].position or 0, pairs.entry(place)
    return next((p for p in pairs.free if number in p.numbers and _same_line(entry, p)), None)


def _same_line(entry: BootEntry, program: Program) -> bool:
    if entry.kind is not EntryKind.IPL:
        return program.parmline is None
    if entry.parmline is None and entry.parmfile is not None:
        return program.parmline is not None  # a parmfile that can't be read: not known
    return program.parmline == (entry.parmline or "")


def _added(entry: BootEntry, program: Program) -> str | None:
    line, held = (entry.parmline or "").split(), (program.parmline or "").split()
    return " ".join(held[len(line) :]) if held[: len(line)] == line else None


def _sizes(entry: BootEntry, facts: Facts) -> tuple[int | None, int | None]:
    """The sizes of kernel and ramdisk in bytes: 0 for no file, None where that is not known."""
    image, ramdisk = (_size(file, facts) for file in (entry.image, entry.ramdisk))
    return image, ramdisk


def _size(file: LoadedFile | None, facts: Facts) -> int | None:
    if file is None:
        return 0
    found = facts.get(file.path)
    return found.size if found is not None and found.readable else None


def _same_kernel(entry: BootEntry, program: Program, facts: Facts) -> bool:
    """Whether the sizes of the files are those that zipl noted; none is that of a file that is gone."""
    if (entry.kind is EntryKind.IPL) is (program.parmline is None):
        return False
    if entry.kind is not EntryKind.IPL:
        return True
    if any(_is_gone(file, facts) for file in (entry.image, entry.ramdisk) if file is not None):
        return False
    image, ramdisk = _sizes(entry, facts)
    if bool(program.ramdisk_size) != (entry.ramdisk is not None):
        return False
    return image in {None, program.image_size or image} and ramdisk in {
        None,
        program.ramdisk_size or 0,
    }


def _is_gone(file: LoadedFile, facts: Facts) -> bool:
    found = facts.get(file.path)
    return found is not None and found.kind is PathKind.MISSING


def other_files(entry: BootEntry, program: Program, facts: Facts) -> tuple[str, ...]:
    """Say in what the files of an entry are not those that zipl read, each as one clause."""
    found = []
    for what, file, held in (
        ("kernel", entry.image, program.image_size or 0),
        ("ramdisk", entry.ramdisk, program.ramdisk_size or 0),
    ):
        if file is None or not held:
            if bool(held) != (file is not None):
                found.append(f"{'with' if held else 'without'} a {what}")
        elif _is_gone(file, facts):
            found.append(f"with a {what} that is gone, {file.path}")
        elif _size(file, facts) not in {None, held}:
            found.append(f"with another {what} than {file.path}")
    return tuple(found)


def _younger(entry: BootEntry, facts: Facts, written: int) -> list[str]:
    """The files of an entry that were written after the record."""
    if entry.kind is not EntryKind.IPL:
        return []
    files = [file for file in (entry.image, entry.ramdisk) if file is not None]
    return [
        file.path
        for file in files
        if file.path in facts and facts[file.path].readable and facts[file.path].modified > written
    ]
