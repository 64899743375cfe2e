"""The ordinary kernels that are installed: what a Secure Execution image can be made of."""

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
    """A kernel and its ramdisk, as paths of files; `ramdisk` is None where none is known.

    `release` is None where nothing tells it. `entry` is the boot entry that starts it, if one does.
    """

    path: str
    ramdisk: str | None = None
    release: str | None = None
    entry: BootEntry | None = None


def installed_kernels(machine: Machine) -> tuple[InstalledKernel, ...]:
    """Return those that boot entries start, then those that lie where kernels are installed.

    Last are those of the entries that pvics has put aside. Rescue kernels are none, nor are those
    that only kdump starts.
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
    """Return the one with the newest release; None where no release is known."""
    known = (each for each in installed_kernels(machine) if each.release is not None)
    return max(known, key=lambda each: rpm_version_key(each.release or ""), default=None)


def kernel_to_take(machine: Machine) -> InstalledKernel | None:
    """Return the newest kernel that has its ramdisk; without any ramdisk, the newest.

    Where no boot entry tells the release of its kernel, the first of them counts, which is the default
    entry if that starts an ordinary kernel.
    """
    found = installed_kernels(machine)
    whole = [each for each in found if each.ramdisk is not None] or list(found)
    named = [each for each in whole if each.entry is not None]
    if named and all(each.release is None for each in named):
        return named[0]
    return max(whole, key=lambda each: rpm_version_key(each.release or ""), default=None)


def version_of(entry: BootEntry) -> str | None:
    """Return the release that a BLS entry gives as its ``version``; None for any other text there."""
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
    """The one of that release that lies beside the kernels."""
    if release is None:
        return None
    found = (path for path in machine.kernel_files.ramdisks if release_of(path) == release)
    return next(found, None)
