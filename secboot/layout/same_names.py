"""Whether a kernel that is installed tomorrow is booted through the names that a section has today.

A section of zipl.conf boots what its ``image=`` and ``ramdisk=`` lead to when zipl runs. That is a
new kernel where they are links that the kernel's package moves (linux-update-symlinks(1) of
Debian), or where every kernel has the same name (Alpine). A name with a release boots this one
kernel for ever, and zipl fails when its package is removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.machine.kernel_files import release_of
from secboot.named_tuple import NamedTuple
from secboot.zipl.entry import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

    ReleaseKey = Callable[[str], tuple[object, ...]]


class Followed(NamedTuple):
    """Why a new kernel is not booted, or why that is not known; neither, where it is.

    `remedy` is what to do about the obstacle, and `repairs` are the programs that do it.
    """

    obstacle: str | None = None
    doubt: str | None = None
    remedy: str | None = None
    repairs: tuple[tuple[str, ...], ...] = ()


def follows(machine: Machine, entry: BootEntry, order: ReleaseKey, *, one_name: bool) -> Followed:
    """Tell whether an entry boots the kernel that is installed next.

    `order` gives the sort key of a kernel release, newest last, as the distribution compares.
    `one_name` says that its kernels have names without a release.
    """
    found = _findings(machine, entry, order, one_name=one_name)
    return next((each for each in found if each != _FOLLOWED), _FOLLOWED)


_FOLLOWED = Followed()


def _findings(
    machine: Machine, entry: BootEntry, order: ReleaseKey, *, one_name: bool
) -> Iterator[Followed]:
    if entry.image is None:
        return
    where = "image= and ramdisk="
    if entry.origin is Origin.BLS:
        where = f"the lines linux and initrd of {entry.path}"
    image, ramdisk = entry.image.path, None if entry.ramdisk is None else entry.ramdisk.path
    yield _name(machine, image, where, one_name=one_name)
    yield _newest(machine, image, ramdisk, order)
    if ramdisk is None:
        return
    yield _name(machine, ramdisk, where, one_name=one_name)
    if release_of(_target(machine, image)) != release_of(_target(machine, ramdisk)):
        yield Followed(
            f"{image} leads to {_target(machine, image)}, and {ramdisk} to"
            f" {_target(machine, ramdisk)}, the ramdisk of another kernel",
            remedy=f"let {ramdisk} lead to the ramdisk of that kernel, then run zipl",
            repairs=_moved(machine, release_of(_target(machine, image)), ramdisk),
        )


def _moved(
    machine: Machine, release: str | None, *links: str | None
) -> tuple[tuple[str, ...], ...]:
    """Return what moves links to the files of a kernel; nothing where one of them is not there."""
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
    """Judge by itself whether this is a name that moves to the next kernel; `where` it stands."""
    link = machine.kernel_files.link(path)
    if link is not None and link.target is None:
        return Followed(doubt=f"the link {path} leads to {link.says}, {link.reason}")
    if link is None and release_of(path) is not None:
        return Followed(
            f"{path} is one kernel's own name and no link that moves: a new kernel is not booted,"
            " and zipl fails when the package of this one is removed",
            remedy=f"name links in {where} that move to each new kernel",
        )
    if one_name or (link is not None and release_of(_target(machine, path)) is not None):
        return _FOLLOWED
    if link is not None:
        return Followed(doubt=f"the link {path} leads to {link.target}, whose name has no release")
    facts = machine.facts.get(path)
    what = "is no link" if facts is not None and facts.readable else "is not there"
    return Followed(
        doubt=f"{path} {what}, so that it is not known whether a new kernel gets its name"
    )


def _newest(machine: Machine, path: str, ramdisk: str | None, order: ReleaseKey) -> Followed:
    """Compare what a link leads to with the kernels that lie beside that."""
    target = _target(machine, path)
    release, directory = release_of(target), target.rpartition("/")[0]
    if release is None:
        return _FOLLOWED
    beside = (each for each in machine.kernel_files.kernels if each.rpartition("/")[0] == directory)
    releases = (each for each in map(release_of, beside) if each is not None)
    copy = re.compile(rf"{re.escape(release)}[.~_][A-Za-z].*")  # as in vmlinuz-6.1.0-9.signed
    newest = max(
        (each for each in releases if not copy.fullmatch(each)), key=order, default=release
    )
    if order(newest) <= order(release):
        return _FOLLOWED
    return Followed(
        f"the link {path} still leads to {target}, although kernel {newest} is installed: it was"
        " not moved then, and is not known to be moved next time",
        remedy=f"let {path} and its ramdisk lead to kernel {newest}, then run zipl",
        repairs=_moved(machine, newest, path, ramdisk),
    )
