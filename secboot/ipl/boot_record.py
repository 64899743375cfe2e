"""The boot record: what zipl wrote last, and whether zipl would write the same now.

It contains no names. Its programs are identified by the parameter line and the sizes of kernel and
ramdisk. A number alone does not identify one after an entry was added or removed.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.formats.zipl_parameters import NO_ENVIRONMENT, ZIPLENV, variables_of
from secboot.ipl.recorded_programs import (
    Match,
    Matching,
    boots_files_of,
    boots_kernel_of,
    match_entry,
    match_options,
    match_others,
    match_programs,
    other_files,
    younger,
)
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from secboot.formats.bootmap import Bootmap, Program
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry, EntryToInstall


class RecordState(StrEnum):
    """How much is known about what the next IPL reads."""

    READ = "read"
    MISSING = "missing"
    """It does not exist: zipl has not run, or somebody removed it."""
    DAMAGED = "damaged"
    """zipl would not write anything like it."""
    UNKNOWN = "unknown"
    """It can't be read, or was written by a zipl that is newer than this model."""


class BootRecord(NamedTuple):
    """What zipl wrote last: the bootmap in the target directory.

    `path` is where zipl would write it. `bootmap` is its content, or `unreadable` the reason why
    that is unknown. `differences` say how it differs from what zipl would write now, each as one
    clause. `younger_files` are boot files that changed after it was written: the only evidence if
    it can't be read.

    `matches` are its programs with the boot entries that they were made from. `lacking` are the
    entries that zipl would install and that the record does not contain; it contains some of
    `indistinct`, but which ones is unknown. `instead` are unmatched programs that boot the kernel
    of an entry with a different ramdisk. For a program with a line that no entry has, `kernels` maps
    its number to the kernel with the same size. `from_options` means that the record was made from
    options of zipl(8) and not from the configuration: a single program, although the configuration, which
    did not change since, has a menu.
    """

    path: str
    state: RecordState = RecordState.MISSING
    bootmap: Bootmap | None = None
    unreadable: str | None = None
    differences: tuple[str, ...] = ()
    younger_files: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    lacking: tuple[BootEntry, ...] = ()
    indistinct: tuple[BootEntry, ...] = ()
    instead: tuple[Match, ...] = ()
    kernels: Mapping[int, str] = MappingProxyType({})
    from_options: bool = False

    @property
    def stale(self) -> str | None:
        """Why the next IPL does not match the files, as one sentence; None if it does."""
        if self.state is RecordState.MISSING:
            return f"{self.path} not found: zipl has not run yet, or it was removed"
        if self.state is RecordState.DAMAGED:
            return self.unreadable
        if self.bootmap is not None:
            clauses = tuple(f"{self.path} {difference}" for difference in self.differences)
        else:
            clauses = tuple(
                f"{file} changed after {self.path} was written" for file in self.younger_files
            )
        if not clauses:
            return None
        more = len(clauses) - 1
        return f"{clauses[0]} (and {more} more)" if more else clauses[0]


def compare(machine: Machine) -> BootRecord:
    """Compare what zipl wrote last with what it would write now."""
    file = machine.bootmap
    if file.missing:
        return BootRecord(file.path)
    if file.modified is None:
        return BootRecord(file.path, RecordState.UNKNOWN, unreadable=file.unreadable)
    others = {*machine.sources.reads, *machine.only_prepared}
    changed = tuple(
        each.path
        for each in machine.files
        if each.modified > file.modified and each.path not in others
    )
    if file.content is None:
        state = RecordState.DAMAGED if file.damaged else RecordState.UNKNOWN
        if file.damaged and machine.zipl_version.is_newer_than_model:
            state = RecordState.UNKNOWN
        return BootRecord(file.path, state, unreadable=file.unreadable, younger_files=changed)
    return _compare(
        BootRecord(file.path, RecordState.READ, file.content, younger_files=changed),
        file.content,
        machine,
        file.modified,
    )


def _compare(record: BootRecord, bootmap: Bootmap, machine: Machine, written: int) -> BootRecord:
    """Match programs and entries; `written` is when the record was written, in ns since 1970."""
    expected = [each for each in machine.configuration.to_install if not each.skipped]
    if not bootmap.is_menu and (len(expected) != 1 or expected[0].position is not None):
        match = match_options(bootmap.default, machine)
        # A configuration that is younger may have had one section then, and got a menu since.
        if not expected or match.added or machine.conf_path not in record.younger_files:
            instead = (
                () if match.entry is not None else _of_kernel(bootmap.default, machine, written)
            )
            return record._replace(
                differences=_option_differences(match, instead, machine, written),
                matches=(match,),
                instead=instead,
                from_options=True,
            )
    found = match_programs(bootmap.programs, expected, machine.facts, written)
    found = _with_others(found, expected, machine, written)
    differences: tuple[str, ...] = ()
    if expected:  # otherwise zipl would refuse these files and leave the record unchanged
        differences = (
            *_differences(bootmap, expected, found, machine),
            *_environment_differences(bootmap, machine),
            *map(_replaced, found.younger),
        )
    return record._replace(
        differences=tuple(dict.fromkeys(differences)),
        matches=found.matches,
        lacking=found.lacking,
        indistinct=found.indistinct,
        instead=tuple(
            each
            for each in found.instead
            if each.entry is not None
            and boots_kernel_of(each.entry, each.program, machine.facts, written)
        ),
        kernels=_kernels(found, machine, written),
    )


def _kernels(found: Matching, machine: Machine, written: int) -> dict[int, str]:
    """For programs with a line that no entry has, the kernels that match by size and ramdisk."""
    kernels = {}
    for match in found.matches:
        if match.entry is None and not match.candidates:
            for entry in machine.configuration.entries:
                is_that = boots_files_of(entry, match.program, machine.facts, written)
                if is_that and entry.image is not None:
                    kernels[match.number] = entry.image.path
                    break
    return kernels


def _with_others(
    found: Matching, expected: list[EntryToInstall], machine: Machine, written: int
) -> Matching:
    """Match the remaining programs with the entries that zipl would not install now."""
    installed = {each.entry.location for each in expected}
    others = [e for e in machine.configuration.entries if e.location not in installed]
    matches = match_others(found.matches, others, machine.facts, written)
    matched = {match.number for match in matches if match.entry is not None}
    instead = tuple(each for each in found.instead if each.number not in matched)
    return found._replace(matches=matches, instead=instead)


def _of_kernel(program: Program, machine: Machine, written: int) -> tuple[Match, ...]:
    """The entry whose kernel a program boots with another ramdisk: the default, else the first."""
    entries = [
        each
        for each in machine.configuration.entries
        if boots_kernel_of(each, program, machine.facts, written)
    ]
    entries.sort(key=lambda each: not each.is_default)
    return tuple(match_entry(program, each) for each in entries[:1])


def _option_differences(
    match: Match, instead: tuple[Match, ...], machine: Machine, written: int
) -> tuple[str, ...]:
    """How a record made from options differs from every entry; added words are not a difference."""
    default = machine.configuration.default
    if match.entry is not None and default is not None and match.entry.location != default.location:
        return (f"does not contain {_name(default)}",)
    if match.entry is not None:
        line = () if match.added is not None else (_line(match.entry),)
        return (*line, *map(_replaced, younger(match.entry, machine.facts, written)))
    if instead:
        return tuple(
            f"boots {_name(each.entry)} {how}"
            for each in instead
            if each.entry is not None
            for how in other_files(each.entry, each.program, machine.facts)
        )
    if machine.configuration.entries:
        return ("boots a kernel that no boot entry has",)
    return ()


def _replaced(path: str) -> str:
    return f"was written before {path} was replaced"


def _line(entry: BootEntry) -> str:
    return f"has a different parameter line for {_name(entry)}"


def _differences(
    bootmap: Bootmap, expected: list[EntryToInstall], found: Matching, machine: Machine
) -> Iterator[str]:
    """How the record differs from what zipl would write from these files."""
    if bootmap.is_menu != any(each.position is not None for each in expected):
        yield f"{'is' if bootmap.is_menu else 'is not'} a menu of boot entries"
        return
    yield from _lacking(found, machine)
    for match in found.matches:
        if match.entry is not None and not match.same_line:
            yield _line(match.entry)
    yield from _not_installed(found, expected)
    unknown = [m for m in found.matches if m.entry is None and not m.candidates]
    instead = {each.number for each in found.instead}
    for match in unknown:
        if match.number not in instead:
            yield f"has an entry {match.number} that the files do not have"
    surplus = [match for match in found.matches if match.surplus]
    if surplus:
        yield f"has an entry that the files do not have, one of {numbers_of(surplus)}"
    if not (found.lacking or found.indistinct or unknown or surplus):
        yield from _order_differences(expected, found)


def _not_installed(found: Matching, expected: list[EntryToInstall]) -> Iterator[str]:
    """Entries in the record that zipl would not install now."""
    installed = {each.entry.location for each in expected}
    for match in found.matches:
        if match.entry is not None and match.entry.location not in installed:
            yield f"contains {_name(match.entry)}, which is now neither the default nor in the menu"


def numbers_of(matches: Sequence[Match]) -> str:
    """Return the menu numbers of programs in words."""
    return "the numbers " + ", ".join(str(number) for number in sorted(m.number for m in matches))


def _lacking(found: Matching, machine: Machine) -> Iterator[str]:
    """Entries that are missing from the record, and what it boots instead."""
    instead = {each.entry: each.program for each in found.instead}
    for entry in found.lacking:
        if entry in instead:
            for how in other_files(entry, instead[entry], machine.facts):
                yield f"boots {_name(entry)} {how}"
        else:
            yield f"does not contain {_name(entry)}"
    if found.indistinct:
        names = ", ".join(map(_name, found.indistinct))
        yield f"contains only some of these entries, and it is unknown which: {names}"


def _order_differences(expected: list[EntryToInstall], found: Matching) -> Iterator[str]:
    """Different numbers, or a different default, if the record has exactly the files' entries."""
    for each, match in zip(expected, found.in_order, strict=True):
        if each.is_default and not match.program.is_default:
            yield f"does not have {_name(each.entry)} as the default"
        elif each.position is not None and each.position not in match.program.numbers:
            yield f"has {_name(each.entry)} as number {match.number}, not {each.position}"


def _environment_differences(bootmap: Bootmap, machine: Machine) -> list[str]:
    """Variables in a line whose value in the record differs from /etc/ziplenv.

    This happens after an edit of that file, after zipl-editenv(8), whose changes zipl undoes, and
    after an update of zipl from a release that did not replace variables.
    """
    held = bootmap.environment
    environment = machine.configuration.environment
    installed = machine.configuration.to_install
    lines = [each.entry.parmline or "" for each in installed if not each.skipped]
    names = dict.fromkeys(name for line in lines for name in variables_of(line))
    if held is None:
        if environment is None or machine.zipl_version_is_assumed:
            return []
        return [
            f"does not replace ${{{name}}}: it was written by a zipl before 2.18" for name in names
        ]
    environment = environment or NO_ENVIRONMENT
    sites = (None, *held.sites, *environment.sites)
    return [
        f"has a different value of ${{{name}}} than {ZIPLENV}"
        for name in names
        if any(held.value(name, site) != environment.value(name, site) for site in sites)
    ]


def _name(entry: BootEntry) -> str:
    return f"'{visible(entry.name)}'"
