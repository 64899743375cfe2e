"""The boot record: what zipl wrote last, and whether it still is what zipl would write now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_parameters import NO_ENVIRONMENT, ZIPLENV, variables_of
from secboot.named_tuple import NamedTuple
from secboot.visible import visible
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from secboot.formats.bootmap import Bootmap, Program
    from secboot.machine.discovery import Machine
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.entry import BootEntry, EntryToInstall
    from secboot.zipl.file_facts import FileFacts


class BootRecord(NamedTuple):
    """What zipl wrote last: the bootmap in the target directory.

    `path` is None where there is none. `bootmap` is its content, or `unreadable` the reason why
    that is not known, which is no sign that it is out of date. `differences` say, each as one
    clause, in what it is not what zipl would write now. `younger_files` are boot files that
    changed after it was written: all there is to go by where it can't be read.
    """

    path: str | None
    bootmap: Bootmap | None = None
    unreadable: str | None = None
    differences: tuple[str, ...] = ()
    younger_files: tuple[str, ...] = ()

    @property
    def stale(self) -> str | None:
        """Why the next IPL does not use what the files say, as one sentence; None if it does."""
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
    if file is None:
        return BootRecord(None)
    if file.modified is None:
        return BootRecord(file.path, unreadable=file.unreadable)
    others = machine.sources.reads
    younger = tuple(
        each.path
        for each in machine.files
        if each.modified > file.modified and each.path not in others
    )
    if file.content is None:
        return BootRecord(file.path, unreadable=file.unreadable, younger_files=younger)
    found = _differences(file.content, machine.configuration)
    found += _environment_differences(file.content, machine)
    found += _replaced_files(file.content, machine, file.modified)
    return BootRecord(file.path, file.content, differences=tuple(found), younger_files=younger)


def program_of(bootmap: Bootmap, installed: EntryToInstall) -> Program | None:
    """What the record holds where zipl would install the entry now."""
    return bootmap.numbered(installed.position or 0)


def _differences(bootmap: Bootmap, configuration: BootConfiguration) -> list[str]:
    """In what the record is not what zipl would write from these files."""
    installed = [each for each in configuration.to_install if not each.skipped]
    if not installed:
        # zipl would refuse these files, and leave the record as it is.
        return []
    if bootmap.is_menu != any(each.position is not None for each in installed):
        return [f"{'is' if bootmap.is_menu else 'is not'} a menu of boot entries"]
    found = []
    for each in installed:
        found += _entry_difference(bootmap, each)
    numbers = {each.position or 0 for each in installed}
    held = {max(program.numbers) for program in bootmap.programs}
    found += [f"holds an entry {n} that the files do not have" for n in sorted(held - numbers)]
    default = next((each for each in installed if each.is_default), None)
    if default is not None and default.position is not None and not found:
        program = program_of(bootmap, default)
        if program is not None and not program.is_default:
            found.append(f"does not boot {_name(default.entry)} by default")
    return found


def _environment_differences(bootmap: Bootmap, machine: Machine) -> list[str]:
    """Tell whether ``${NAME}`` in a line becomes another text than /etc/ziplenv says.

    So it does after an edit of that file, and after zipl-editenv(8), whose changes zipl undoes.
    """
    if bootmap.environment is None:
        return []
    held = bootmap.environment
    environment = machine.configuration.environment or NO_ENVIRONMENT
    installed = machine.configuration.to_install
    lines = [each.entry.parmline or "" for each in installed if not each.skipped]
    names = dict.fromkeys(name for line in lines for name in variables_of(line))
    sites = (None, *held.sites, *environment.sites)
    return [
        f"holds another value of ${{{name}}} than {ZIPLENV}"
        for name in names
        if any(held.value(name, site) != environment.value(name, site) for site in sites)
    ]


def _entry_difference(bootmap: Bootmap, installed: EntryToInstall) -> list[str]:
    entry = installed.entry
    program = program_of(bootmap, installed)
    if program is None:
        return [f"does not hold {_name(entry)}"]
    if entry.kind is not EntryKind.IPL:
        return []
    if program.parmline != (entry.parmline or ""):
        return [f"holds another parameter line for {_name(entry)}"]
    if bool(program.ramdisk_size) != (entry.ramdisk is not None):
        return [f"boots {_name(entry)} {'with' if program.ramdisk_size else 'without'} a ramdisk"]
    return []


def _replaced_files(bootmap: Bootmap, machine: Machine, written: int) -> list[str]:
    """Kernels and ramdisks that are not those that zipl saw: an IPL reads the blocks of old ones."""
    found: dict[str, None] = {}
    for installed in machine.configuration.to_install:
        program = None if installed.skipped else program_of(bootmap, installed)
        if program is None or installed.entry.kind is not EntryKind.IPL:
            continue
        for file, size in (
            (installed.entry.image, program.image_size),
            (installed.entry.ramdisk, program.ramdisk_size),
        ):
            if file is not None and size and _is_another(machine.facts[file.path], size, written):
                found[f"was written before {file.path} was replaced"] = None
    return list(found)


def _is_another(facts: FileFacts, size: int, written: int) -> bool:
    return facts.readable and (facts.size != size or facts.modified > written)


def _name(entry: BootEntry) -> str:
    return f"'{visible(entry.name)}'"
