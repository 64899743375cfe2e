"""The installed plain kernel images, from which a Secure Execution image can be built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_release import release_in_name
from secboot.machine.kernel_files import release_of
from secboot.named_tuple import NamedTuple
from secboot.zipl.order import rpm_version_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

_RELEASE = re.compile(r"\d+\.\d", re.ASCII)


class InstalledKernel(NamedTuple):
    """The paths of a kernel and its ramdisk; `ramdisk` is None if unknown.

    `release` is None if unknown. `entry` is the boot entry that starts the kernel, if any.
    """

    path: str
    ramdisk: str | None = None
    release: str | None = None
    entry: BootEntry | None = None


def installed_kernels(machine: Machine) -> tuple[InstalledKernel, ...]:
    """Return the kernels of boot entries, then those where kernels are installed.

    The kernels of entries that pvics disabled come last. Rescue kernels and kernels that only kdump
    starts are not included.
    """
    aside = (
        InstalledKernel(each.kernel, each.ramdisk, each.release)
        for each in machine.image_material.old_entries
        if each.kernel is not None
    )
    found: dict[str, InstalledKernel] = {}
    for kernel in (*_of_entries(machine), *_of_files(machine), *aside):
        found.setdefault(kernel.path, kernel)
    return tuple(found.values())


def newest_release(machine: Machine) -> InstalledKernel | None:
    """Return the kernel with the newest release; None if no release is known."""
    known = (each for each in installed_kernels(machine) if each.release is not None)
    return max(known, key=lambda each: rpm_version_key(each.release or ""), default=None)


def kernel_to_take(machine: Machine) -> InstalledKernel | None:
    """Return the newest kernel that has a ramdisk; if none has one, the newest.

    If no boot entry's kernel has a known release, the first entry's kernel is used: that of the
    default entry, if it is a plain kernel image.
    """
    found = installed_kernels(machine)
    whole = [each for each in found if each.ramdisk is not None] or list(found)
    named = [each for each in whole if each.entry is not None]
    if named and all(each.release is None for each in named):
        return named[0]
    return max(whole, key=lambda each: rpm_version_key(each.release or ""), default=None)


def version_of(entry: BootEntry) -> str | None:
    """Return the ``version`` of a BLS entry if it is a release, else None."""
    lines = () if entry.bls is None else entry.bls.lines
    version = next((line.value for line in lines if line.key == "version"), None)
    return version if version is not None and _RELEASE.match(version) else None


def _of_entries(machine: Machine) -> Iterator[InstalledKernel]:
    target = machine.kernel_files.target
    for entry in sorted(machine.configuration.entries, key=lambda each: not each.is_default):
        if machine.is_secure(entry) is not False or entry.image is None:
            continue
        if entry.is_rescue or entry.kdump:
            continue
        path = target(entry.image.path)
        ramdisk = None if entry.ramdisk is None else target(entry.ramdisk.path)
        release = release_in_name(path) or version_of(entry)
        yield InstalledKernel(path, ramdisk or _ramdisk(machine, release), release, entry)


def _of_files(machine: Machine) -> Iterator[InstalledKernel]:
    for path in machine.kernel_files.kernels:
        release = release_of(path)
        yield InstalledKernel(path, _ramdisk(machine, release), release)


def _ramdisk(machine: Machine, release: str | None) -> str | None:
    """The ramdisk of that release in the kernels' directories."""
    if release is None:
        return None
    found = (path for path in machine.kernel_files.ramdisks if release_of(path) == release)
    return next(found, None)
