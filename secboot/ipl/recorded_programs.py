"""Which boot entry a program of the boot record was made from.

The record contains no names, so programs are matched by the parameter line and the sizes of kernel
and ramdisk, which zipl stores for its loader. Sizes alone are enough for an entry whose line was
edited since; a line alone is not, because after a kernel update all entries of a machine have the
same line.
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
    """A program of the record with the boot entry that it was made from, or None.

    `candidates` are similar entries, one of which it is; with `surplus` it can also be one that is
    no longer in the files, since the record has more such programs than the files have entries.
    `same_line` is whether the entry still has the line of the record. `added` are the words that
    the record's line has in addition to the entry's, anywhere; None if it does not have all words
    of the entry in the same order.
    """

    program: Program
    entry: BootEntry | None = None
    same_line: bool = False
    added: str | None = None
    candidates: tuple[BootEntry, ...] = ()
    surplus: bool = False

    @property
    def number(self) -> int:
        """Its menu number; 0 without a menu."""
        return max(self.program.numbers)


class Matching(NamedTuple):
    """All programs in the order of the record, and what could not be matched.

    `in_order` are the matches of the entries to install, if all of them have one. `younger` are
    kernels and ramdisks of matched entries that changed after the record was written. `instead`
    has missing entries, each with the program that has its line and boots other files, but has its
    kernel or at least its number.
    """

    matches: tuple[Match, ...]
    in_order: tuple[Match, ...]
    lacking: tuple[BootEntry, ...]
    indistinct: tuple[BootEntry, ...]
    younger: tuple[str, ...]
    instead: tuple[Match, ...]


class _Pairs:
    """The state of matching: entries to install, by index, and programs."""

    def __init__(
        self, programs: Sequence[Program], expected: Sequence[EntryToInstall], facts: Facts
    ) -> None:
        self.free = sorted(programs, key=lambda program: max(program.numbers))
        self.expected = expected
        self.facts = facts
        self.found: dict[int, Program] = {}
        self.indistinct: dict[int, None] = {}
        self.held: dict[int, None] = {}
        """Entries whose program is unknown."""
        self.candidates: dict[tuple[int, ...], tuple[BootEntry, ...]] = {}

    def left(self) -> list[int]:
        """The indexes of the entries without a program so far."""
        taken = self.found.keys() | self.indistinct.keys() | self.held.keys()
        return [n for n in range(len(self.expected)) if n not in taken]

    def entry(self, place: int) -> BootEntry:
        return self.expected[place].entry

    def pair(self, place: int, program: Program) -> None:
        self.free.remove(program)
        self.found[place] = program

    def fitting(self, place: int) -> list[Program]:
        """The free programs with the line and the kernel of an entry."""
        entry = self.entry(place)
        return [
            program
            for program in self.free
            if _same_kernel(entry, program, self.facts) and _same_line(entry, program)
        ]

    def leave_open(self, places: list[int], programs: list[Program]) -> None:
        """Record that each of the programs can be any of the entries."""
        for program in programs:
            self.free.remove(program)
            self.candidates[program.numbers] = tuple(map(self.entry, places))


def match_programs(
    programs: Sequence[Program], expected: Sequence[EntryToInstall], facts: Facts, written: int
) -> Matching:
    """Match the programs of a record with the entries that zipl would install.

    `facts` are those of kernels and ramdisks; `written` is when the record was written, in ns since
    1970. A newer file was not used for it.
    """
    pairs = _Pairs(programs, expected, facts)
    _match_whole(pairs, written)
    _match_by_kernel(pairs, written)
    return _matching(pairs, programs, written)


def _match_whole(pairs: _Pairs, written: int) -> None:
    """Match entries and programs with the same line and kernel, in order.

    If there are more such entries than programs, those with newer files were added since, or some
    had a different line before. If neither explains it, or if some of the programs no longer have
    an entry, the match is unknown.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for place in pairs.left():
        entry = pairs.entry(place)
        groups.setdefault((entry.parmline or "", *_sizes(entry, pairs.facts)), []).append(place)
    whole = {key: pairs.fitting(members[0]) for key, members in groups.items()}
    # Entries whose kernels can't be accessed get the remaining programs.
    for key in sorted(groups, key=lambda key: None in key):
        members = groups[key]
        fitting = [program for program in whole[key] if program in pairs.free]
        if len(members) > len(fitting):
            members = [p for p in members if not younger(pairs.entry(p), pairs.facts, written)]
        if fitting and len(members) > len(fitting):
            of_others = [p for other, programs in whole.items() if other != key for p in programs]
            if not _match_edited(pairs, members, fitting, of_others):
                pairs.indistinct.update(dict.fromkeys(members))
                pairs.leave_open(members, fitting)
            continue
        if None not in key and 0 < len(members) < len(fitting):
            pairs.held.update(dict.fromkeys(members))
            pairs.leave_open(members, fitting)
            continue
        for place, program in zip(members, fitting, strict=False):
            pairs.pair(place, program)


def _match_edited(
    pairs: _Pairs, members: list[int], fitting: list[Program], of_others: list[Program]
) -> bool:
    """Match entries that have the programs' numbers; return whether the others can have been edited.

    They can if the record has enough programs with their kernel that fit no other entry.
    """
    entry = pairs.entry(members[0])
    edited = [
        program
        for program in pairs.free
        if program not in fitting
        and program not in of_others
        and _same_kernel(entry, program, pairs.facts)
    ]
    numbered = {pairs.expected[place].position or 0: place for place in members}
    found = [(number, program) for program in fitting for number in program.numbers]
    places = {program.numbers: numbered[n] for n, program in found if n and n in numbered}
    if len(members) - len(fitting) > len(edited) or len(places) < len(fitting):
        return False
    for program in fitting:
        pairs.pair(places[program.numbers], program)
    return True


def _match_by_kernel(pairs: _Pairs, written: int) -> None:
    """Match entries whose line has changed, if possible at the same number."""
    for place in pairs.left():
        entry = pairs.entry(place)
        if younger(entry, pairs.facts, written):
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
            surplus = any(pairs.entry(each) in candidates for each in pairs.held)
            matches.append(Match(program, candidates=candidates, surplus=surplus))
        else:
            matches.append(match_entry(program, pairs.entry(place)))
    replaced: dict[str, None] = {}
    for place in (*pairs.found, *pairs.held):
        replaced |= dict.fromkeys(younger(pairs.entry(place), pairs.facts, written))
    return Matching(
        tuple(matches),
        tuple(match_entry(pairs.found[n], pairs.entry(n)) for n in sorted(pairs.found)),
        tuple(map(pairs.entry, pairs.left())),
        tuple(pairs.entry(place) for place in pairs.indistinct),
        tuple(replaced),
        tuple(
            match_entry(p, pairs.entry(place))
            for place, p in sorted(_instead(pairs, written).items())
        ),
    )


def match_entry(program: Program, entry: BootEntry) -> Match:
    """Compare the line of a program with the line of its entry."""
    return Match(program, entry, _same_line(entry, program), _added(entry, program))


def match_others(
    matches: Sequence[Match], entries: Sequence[BootEntry], facts: Facts, written: int
) -> tuple[Match, ...]:
    """Match unmatched programs with entries that zipl would not install now.

    zipl installed them when they were the default, or in the menu.
    """
    return tuple(
        match
        if match.entry is not None or match.candidates
        else next((found for e in entries if (found := _other(match, e, facts, written))), match)
        for match in matches
    )


def _other(match: Match, entry: BootEntry, facts: Facts, written: int) -> Match | None:
    """Return the match with this entry; None unless everything matches."""
    program = match.program
    found = match_entry(program, entry)
    return found if found.same_line and boots_files_of(entry, program, facts, written) else None


def match_options(program: Program, machine: Machine) -> Match:
    """Find the entry whose kernel the only program of a record boots, preferably the default.

    Such a record was made from options of zipl(8), as image builders do, with the line of the entry
    or a longer one.
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
    return match_entry(program, entries[0])


def _instead(pairs: _Pairs, written: int) -> dict[int, Program]:
    """The programs with the line of an entry that boot other files, by the index of the entry.

    First those with its kernel, as after its ramdisk was rebuilt, then those with its number.
    """

    def has_kernel(place: int, program: Program) -> bool:
        return boots_kernel_of(pairs.entry(place), program, pairs.facts, written)

    def has_number(place: int, program: Program) -> bool:
        return (pairs.expected[place].position or 0) in program.numbers

    found: dict[int, Program] = {}
    free = list(pairs.free)
    for is_that in (has_kernel, has_number):
        for place in [each for each in pairs.left() if each not in found]:
            alike = [p for p in free if _same_line(pairs.entry(place), p) and is_that(place, p)]
            if alike:
                alike.sort(key=lambda program: not has_number(place, program))
                found[place] = alike[0]
                free.remove(alike[0])
    return found


def boots_kernel_of(entry: BootEntry, program: Program, facts: Facts, written: int) -> bool:
    """Whether a program boots the kernel of an entry, judging by its size, with any ramdisk."""
    if entry.image is None or entry.kind is not EntryKind.IPL or program.parmline is None:
        return False
    size = _size(entry.image, facts)
    return bool(size) and size == program.image_size and facts[entry.image.path].modified <= written


def _same_line(entry: BootEntry, program: Program) -> bool:
    if entry.kind is not EntryKind.IPL:
        return program.parmline is None
    if entry.parmline is None and entry.parmfile is not None:
        return program.parmline is not None  # a parmfile that can't be read: unknown
    return program.parmline == (entry.parmline or "")


def _added(entry: BootEntry, program: Program) -> str | None:
    wanted = (entry.parmline or "").split()[::-1]
    added = []
    for word in (program.parmline or "").split():
        if wanted and word == wanted[-1]:
            wanted.pop()
        else:
            added.append(word)
    return None if wanted else " ".join(added)


def _sizes(entry: BootEntry, facts: Facts) -> tuple[int | None, int | None]:
    """The sizes of kernel and ramdisk in bytes: 0 for no file, None if unknown."""
    image, ramdisk = (_size(file, facts) for file in (entry.image, entry.ramdisk))
    return image, ramdisk


def _size(file: LoadedFile | None, facts: Facts) -> int | None:
    if file is None:
        return 0
    found = facts.get(file.path)
    return found.size if found is not None and found.is_file else None


def _same_kernel(entry: BootEntry, program: Program, facts: Facts) -> bool:
    """Whether the files have the sizes that zipl stored; a missing file never does."""
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


def boots_files_of(entry: BootEntry, program: Program, facts: Facts, written: int) -> bool:
    """Whether a program boots kernel and ramdisk of an entry, judging by their sizes."""
    return boots_kernel_of(entry, program, facts, written) and _same_kernel(entry, program, facts)


def other_files(entry: BootEntry, program: Program, facts: Facts) -> tuple[str, ...]:
    """Return how the files of an entry differ from those that zipl read, each as one clause."""
    found = []
    for what, file, held in (
        ("kernel", entry.image, program.image_size or 0),
        ("ramdisk", entry.ramdisk, program.ramdisk_size or 0),
    ):
        if file is None or not held:
            if bool(held) != (file is not None):
                found.append(f"{'with' if held else 'without'} a {what}")
        elif _is_gone(file, facts):
            found.append(f"with a {what} that no longer exists, {file.path}")
        elif _size(file, facts) not in {None, held}:
            found.append(f"with a different {what} than {file.path}")
    return tuple(found)


def younger(entry: BootEntry, facts: Facts, written: int) -> list[str]:
    """Return the files of an entry that were modified after the record was written."""
    if entry.kind is not EntryKind.IPL:
        return []
    files = [file for file in (entry.image, entry.ramdisk) if file is not None]
    return [
        file.path
        for file in files
        if file.path in facts and facts[file.path].is_file and facts[file.path].modified > written
    ]
