"""The plan for the first configuration of a tree that has kernels, but nothing that boots them.

The layout decides which files to write. The model of zipl reads them before anything is planned. No
profile is involved: `apply` applies one to the new boot entries afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.fstab import FSTAB
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.text import encoded
from secboot.invocation import Invocation
from secboot.layout.first import USUAL_TARGET, material, require_kernel
from secboot.lines.changes import Command
from secboot.machine.bare_tree import ZIPL_CONF
from secboot.plan.file_changes import inputs_of
from secboot.plan.plan import EntryPlan, EntryStatus, Plan
from secboot.system.files import FileChange
from secboot.zipl.file_facts import from_root
from secboot.zipl.refusal import ABOUT_OTHER_FILES, OF_NO_ENTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from secboot.layout.first import FirstAsked, FirstFiles
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.entry import BootEntry

    After = Callable[[Mapping[str, bytes | None]], BootConfiguration]
    """How zipl would read the boot files with some of them changed, by path."""

_NO_TARGETS = ("/proc", "/sys", "/dev", "/run", "/tmp")  # noqa: S108 - to be refused
_WHY = "the boot record has not been written for this configuration yet"


def plan_first_configuration(
    machine: Machine,
    layout: Layout,
    asked: FirstAsked,
    after: After,
    device_of: Callable[[str], int | None],
) -> Plan:
    """Return the plan with which zipl can boot the kernels of a tree without a configuration.

    `device_of` returns the file system of a directory, None if the directory does not exist. Raises
    RefusedError, with what to do, if the tree has a configuration, or if something is missing or
    unknown.
    """
    layout.require_editable()
    _require_target(machine, asked, device_of)
    if not layout.sources.generated:
        _require_none(machine, layout)
    files = layout.first_configuration(machine, asked)
    changes = tuple(_change(machine, path, text) for path, text in files.files)
    found = after({path: data for each in changes for path, data in _contents(each)})
    if found.problems:
        first = found.problems[0]
        raise RefusedError(
            f"zipl would refuse this configuration: {first.message}",
            location=first.location,
            hint=first.hint,
        )
    _require_usable(machine, asked, found, device_of)
    return Plan(
        profile=None,
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=tuple(map(_entry, found.entries)),
        files=changes,
        commands=tuple(Command(each.argv, _WHY) for each in layout.commit),
        warnings=(*_about_line(files), *files.warnings, *found.warnings, *_version(machine)),
        inputs=inputs_of(machine),
    )


def _require_target(
    machine: Machine, asked: FirstAsked, device_of: Callable[[str], int | None]
) -> None:
    """Refuse a directory to which zipl cannot write its files, or not for the next IPL."""
    target = asked.target or USUAL_TARGET
    why = ""
    if not target.startswith("/") or {"", ".", ".."} & set(target[1:].split("/")):
        why = "not a directory path inside the root directory"
    elif any(target == each or target.startswith(f"{each}/") for each in _NO_TARGETS):
        why = "not on a disk"
    elif device_of(target) is None:
        why = "not a directory in the tree"
    if why:
        raise RefusedError(
            f"{target} cannot be zipl's target in {machine.root}: it is {why}",
            hint="set the directory for the boot record with --target DIR (default: /boot)"
            if asked.target is not None
            else "check --root, and whether /boot is mounted",
        )


def _require_none(machine: Machine, layout: Layout) -> None:
    command = Invocation.on(machine.root).command
    entries, where = machine.configuration.entries, machine.conf_path
    if entries and machine.configured and not machine.lacks_conf:
        raise RefusedError(
            f"{machine.root} already has a configuration: {len(entries)} boot"
            f" {'entry' if len(entries) == 1 else 'entries'}, from {where}",
            hint=f"to see it: {command('show')}\nto change it: {command('apply', 'PROFILE')}",
        )
    if machine.file(ZIPL_CONF) is None:
        return
    others = {problem.code for problem in machine.configuration.problems} - OF_NO_ENTRY
    if not layout.adds_bls_entries or others - ABOUT_OTHER_FILES:
        raise RefusedError(
            f"{machine.root} already has a configuration: {ZIPL_CONF}, which zipl refuses",
            hint=f"correct it ({command('check')}), or remove it",
        )


def _require_usable(
    machine: Machine,
    asked: FirstAsked,
    found: BootConfiguration,
    device_of: Callable[[str], int | None],
) -> None:
    """Refuse kernels for another architecture, and files on a different disk from the target.

    The boot record points to blocks on the target's disk.
    """
    target = asked.target or next((e.target for e in found.entries if e.target), USUAL_TARGET)
    names = material(machine).boot_names
    for entry in found.entries:
        for part in (entry.image, entry.ramdisk):
            name = None if part is None else names.get(from_root(part.path))
            if part is entry.image and name is not None and not name.is_secure:
                require_kernel(name.target, name)
            if name is not None and name.device != device_of(target):
                raise RefusedError(
                    f"{name.target} is not on the same file system as the target {target}",
                    hint="zipl needs both on one file system: use --target to name a directory on"
                    " the kernel's",
                )


def _change(machine: Machine, path: str, text: str) -> FileChange:
    file = machine.file(path)
    if file is not None:
        return FileChange(path, file.real_path, file.data, encoded(text))
    return FileChange(path, material(machine).place(path), None, encoded(text))


def _contents(change: FileChange) -> Iterator[tuple[str, bytes | None]]:
    yield change.path, change.after
    yield change.real_path, change.after


def _entry(entry: BootEntry) -> EntryPlan:
    parts = [part.path for part in (entry.image, entry.ramdisk) if part is not None]
    return EntryPlan(
        name=entry.name,
        location=Location(entry.path, entry.line),
        kind=entry.kind.value,
        status=EntryStatus.ADD,
        note=" ".join(parts),
        default=entry.is_default,
        rescue=entry.is_rescue,
        parameters=(),
        line_before=None,
        line_after=entry.parmline,
    )


def _about_line(files: FirstFiles) -> Iterator[Finding]:
    if files.line is None:
        return
    if not CommandLine.parse(files.line).named("root"):
        message = (
            "root= is not set in the parameter line: the system boots only if its initramfs finds"
            " the root file system by itself"
        )
        yield Finding("no-root", Severity.WARNING, message)
    if files.origin == FSTAB:
        yield Finding(
            "line-of-fstab",
            Severity.NOTE,
            f"the parameter line is {files.line}, from {FSTAB}; if the machine needs more, such as"
            " rd.dasd= or rd.zfcp= for disks that its initramfs does not know, set the whole line"
            " with --parameters",
        )


def _version(machine: Machine) -> Iterator[Finding]:
    if machine.zipl_version_is_assumed:
        message = f"zipl is not installed in {machine.root}; assuming {machine.zipl_version}"
        yield Finding("zipl-version", Severity.WARNING, message)
