"""Whether a section's present file names will boot a future kernel.

A section of zipl.conf boots the files that its ``image=`` and ``ramdisk=`` refer to when zipl runs.
They refer to a new kernel if they are links that kernel packages update (linux-update-symlinks(1)
of Debian), or if every kernel has the same name (Alpine). A name with a release always boots that
kernel, and zipl fails after its package is removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.machine.kernel_files import release_of
from secboot.named_tuple import NamedTuple
from secboot.zipl.entry import Origin
from secboot.zipl.file_facts import PathKind, from_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

    ReleaseKey = Callable[[str], tuple[object, ...]]


class Followed(NamedTuple):
    """Why a new kernel is not booted, or why this is unknown; neither is set if it is booted.

    `remedy` says what to do about the obstacle, and `repairs` are the programs that do it.
    """

    obstacle: str | None = None
    doubt: str | None = None
    remedy: str | None = None
    repairs: tuple[tuple[str, ...], ...] = ()


def follows(machine: Machine, entry: BootEntry, order: ReleaseKey, *, one_name: bool) -> Followed:
    """Return whether an entry will boot the kernel that is installed next.

    `order` returns the sort key of a kernel release in the distribution's order, newest last.
    `one_name` means that its kernels have names without a release.
    """
    found = _findings(machine, entry, order, one_name=one_name)
    return next((each for each in found if each != _FOLLOWED), _FOLLOWED)


_FOLLOWED = Followed()
_NO_FILE = {PathKind.DIRECTORY: "is a directory", PathKind.OTHER: "is not a regular file"}


def _findings(
    machine: Machine, entry: BootEntry, order: ReleaseKey, *, one_name: bool
) -> Iterator[Followed]:
    if entry.image is None:
        return
    where = "image= and ramdisk="
    if entry.origin is Origin.BLS:
        where = f"linux and initrd in {entry.path}"
    image, ramdisk = entry.image.path, None if entry.ramdisk is None else entry.ramdisk.path
    yield _name(machine, image, where, one_name=one_name)
    yield _newest(machine, image, ramdisk, order)
    if ramdisk is None:
        return
    yield _name(machine, ramdisk, where, one_name=one_name)
    if release_of(_target(machine, image)) != release_of(_target(machine, ramdisk)):
        yield Followed(
            f"{image} points to {_target(machine, image)}, but {ramdisk} to"
            f" {_target(machine, ramdisk)}, the ramdisk of another kernel",
            remedy=f"make {ramdisk} point to the ramdisk of that kernel, then run zipl",
            repairs=_moved(machine, release_of(_target(machine, image)), ramdisk),
        )


def _moved(
    machine: Machine, release: str | None, *links: str | None
) -> tuple[tuple[str, ...], ...]:
    """Return the commands that point links to the files of a kernel; empty if a file is missing."""
    found = []
    for path in filter(None, links):
        link, target = machine.kernel_files.link(path), _target(machine, path)
        old = release_of(target)
        if link is None or old is None or release is None or old not in link.says:
            return ()
        name = target.rpartition("/")[2]
        new = target[: -len(name)] + name.replace(old, release)
        if new not in {*machine.kernel_files.kernels, *machine.kernel_files.ramdisks}:
            return ()
        if old != release:
            head, _, last = link.says.rpartition(old)
            found.append(("ln", "-sfn", f"{head}{release}{last}", path))
    return (*found, ("zipl",))


def _target(machine: Machine, path: str) -> str:
    link = machine.kernel_files.link(path)
    return path if link is None or link.target is None else link.target


def _name(machine: Machine, path: str, where: str, *, one_name: bool) -> Followed:
    """Return whether this name, used in `where`, will refer to the next kernel."""
    link = machine.kernel_files.link(path)
    if link is not None and link.target is None:
        return Followed(doubt=f"the link {path} points to {link.says}, {link.reason}")
    facts = machine.facts.get(path)
    kind = PathKind.MISSING if facts is None else facts.kind
    if kind in _NO_FILE:
        at = path if link is None else f"the link {path} points to {link.target}, which"
        return Followed(doubt=f"{at} {_NO_FILE[kind]}, so zipl refuses it")
    if link is None and release_of(path) is not None:
        return Followed(
            f"{path} names a specific kernel instead of a link that follows new kernels: a new"
            " kernel is not booted, and zipl fails after the package of this one is removed",
            remedy=f"use links in {where} that follow new kernels",
        )
    if one_name or (link is not None and release_of(_target(machine, path)) is not None):
        return _FOLLOWED
    if link is not None:
        return Followed(doubt=f"the link {path} points to {link.target}, whose name has no release")
    what = "does not exist" if kind is PathKind.MISSING else "is not a link"
    return Followed(doubt=f"{path} {what}, so it is unknown whether a new kernel gets this name")


def _newest(machine: Machine, path: str, ramdisk: str | None, order: ReleaseKey) -> Followed:
    """Compare the target of a link with the other kernels in its directory.

    A kernel that a boot entry names itself is not one that the link should follow.
    """
    target = _target(machine, path)
    release, directory = release_of(target), target.rpartition("/")[0]
    if release is None:
        return _FOLLOWED
    own = {from_root(e.image.path) for e in machine.configuration.entries if e.image is not None}
    others = (
        each
        for each in machine.kernel_files.kernels
        if each.rpartition("/")[0] == directory and each not in own
    )
    releases = (each for each in map(release_of, others) if each is not None)
    copy = re.compile(rf"{re.escape(release)}[.~_][A-Za-z].*")  # as in vmlinuz-6.1.0-9.signed
    newest = max(
        (each for each in releases if not copy.fullmatch(each)), key=order, default=release
    )
    if order(newest) <= order(release):
        return _FOLLOWED
    return Followed(
        f"the link {path} still points to {target}, although kernel {newest} is installed: that"
        " installation did not update the link, and the next one may not either",
        remedy=f"make {path} and its ramdisk point to kernel {newest}, then run zipl",
        repairs=_moved(machine, newest, path, ramdisk),
    )
