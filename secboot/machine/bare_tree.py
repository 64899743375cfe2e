"""A tree without any boot entry: an image before its kernel, or before its first configuration."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.fstab import FSTAB, Fstab
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED, DeclaredProfile
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from secboot.machine.sources import Parser
    from secboot.system.root import Root

READS: Mapping[str, Parser] = MappingProxyType(
    {FSTAB: Fstab.parse, DECLARED: DeclaredProfile.parse}
)
_BOOTED = re.compile(r"(?:vmlinu[xz]|[Ii]mage|bzImage|kernel|linux)(?:[-.].*)?|bootmap", re.ASCII)
"""Names of kernels, and that of the boot record: something was installed."""
_MODULES = ("/usr/lib/modules", "/lib/modules")


class BareTree(NamedTuple):
    """What is known of a tree that has no boot entry.

    `awaits_kernel` is whether no kernel is installed. `reads` are the files that count then, besides
    the layout's. `places` are by path those files that are not there and can be made, with their real
    paths, `blocked` those that can't, with the reason.
    """

    awaits_kernel: bool = False
    reads: Mapping[str, Parser] = MappingProxyType({})
    places: Mapping[str, str] = MappingProxyType({})
    blocked: Mapping[str, str] = MappingProxyType({})

    def place(self, path: str) -> str:
        """Return the real path of a file that is to be made. Raises RefusedError where it can't be."""
        if path in self.blocked:
            raise RefusedError(
                f"{path} can't be made: {self.blocked[path]}", hint="move it out of the way"
            )
        return self.places[path]


def find_bare_tree(root: Root, paths: Collection[str]) -> BareTree:
    """Look at a tree that has no boot entry; `paths` are files of its layout."""
    if not awaits_kernel(root):
        return BareTree()
    places, blocked = {}, {}
    for path in (*paths, *READS):
        if root.stat(path) is None:
            place, reason = _place_of_new(root, path)
            if reason:
                blocked[path] = reason
            else:
                places[path] = place
    return BareTree(awaits_kernel=True, reads=READS, places=places, blocked=blocked)


def awaits_kernel(root: Root) -> bool:
    """Tell whether this is a system without a kernel: there is none in /boot, and none has modules.

    A /boot that is not mounted is empty, too; the modules are not in it.
    """
    names = root.names_or_none("/boot")
    if names is None or root.stat("/etc") is None or any(map(_BOOTED.fullmatch, names)):
        return False
    return not any(root.names_or_none(directory) for directory in _MODULES)


def _place_of_new(root: Root, path: str) -> tuple[str, str]:
    """Return the real path of a file that is yet to be made, or why it can't be.

    The directories above it are made with it.
    """
    names = path.split("/")[1:]
    for depth in range(len(names), -1, -1):
        there = "/" + "/".join(names[:depth])
        status = root.stat(there)
        if status is None:
            target = root.link_target(there)
            if target is not None:
                return "", f"{there} is a link to {visible(target)}, which is not there"
            continue
        if not status.is_directory:
            return "", f"{there} is not a directory"
        return "/".join([root.real_path(there).rstrip("/"), *names[depth:]]), ""
    raise LookupError(path)
