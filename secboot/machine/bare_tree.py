"""A tree without boot entries: an image without a kernel yet, or without its first configuration."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.fstab import FSTAB, Fstab
from secboot.formats.kernel_image import read_kernel_image
from secboot.machine.zipl_conf_file import MODULES
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED, DeclaredProfile
from secboot.visible import visible
from secboot.zipl.file_facts import from_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secboot.machine.sources import Parser, Sources
    from secboot.system.root import Root

ZIPL_CONF = "/etc/zipl.conf"
"""The path of a first zipl.conf."""
READS: Mapping[str, Parser] = MappingProxyType(
    {FSTAB: Fstab.parse, DECLARED: DeclaredProfile.parse}
)
MACHINE_ID = "/etc/machine-id"
_BOOTED = re.compile(r"(?:vmlinu[xz]|[Ii]mage|bzImage|kernel|linux)(?:[-.].*)?|bootmap", re.ASCII)
"""Names of kernels and of the bootmap, which show that something was installed."""
_BOOT_NAME = re.compile(r"(?:vmlinuz|initrd|initramfs)(?:[-.].*)?", re.ASCII)
_KERNEL_MARK = 0x10008, b"S390EP"
"""Offset and text, in every s390x kernel image (arch/s390/boot/head.S)."""
_ID = re.compile("[0-9a-f]{32}", re.ASCII)


class BootName(NamedTuple):
    """A kernel or ramdisk under the name that a boot entry would use, after following links.

    `target` is the real path. `device` identifies the file system; `modified` is in ns since 1970.
    `is_kernel` is whether it is marked as an s390x kernel, None if it can't be read; `is_secure`
    whether it is a Secure Execution image, which does not have the mark.
    """

    target: str
    device: int
    size: int
    modified: int
    is_kernel: bool | None
    is_secure: bool = False


class BareTree(NamedTuple):
    """What is known about a tree without boot entries.

    `awaits_kernel` is whether no kernel is installed. `reads` are the files that matter then, in
    addition to the layout's. `places` maps the paths of missing files that can be created to their
    real paths, `blocked` those that can't be created to the reason.

    The rest is material for a first configuration: `boot_names` maps paths to the kernels and
    ramdisks in /boot and /, and the kernels of boot entries; `dangling` are the dangling links among
    these; `modules` the releases that have modules. `machine_id` is None if not set or not valid.
    """

    awaits_kernel: bool = False
    reads: Mapping[str, Parser] = MappingProxyType({})
    places: Mapping[str, str] = MappingProxyType({})
    blocked: Mapping[str, str] = MappingProxyType({})
    boot_names: Mapping[str, BootName] = MappingProxyType({})
    dangling: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    machine_id: str | None = None

    def place(self, path: str) -> str:
        """Return the real path of a file to create. Raises RefusedError if it can't be created."""
        directory, _, name = path.rpartition("/")
        for each in (path, directory):
            if each in self.blocked:
                raise RefusedError(
                    f"{path} can't be created: {self.blocked[each]}", hint="move it out of the way"
                )
        return self.places[path] if path in self.places else f"{self.places[directory]}/{name}"


def find_bare_tree(
    root: Root, sources: Sources, entries: str, images: Iterable[str] = ()
) -> BareTree:
    """Examine a tree that has no boot entries, or will get its first configuration.

    `entries` is the directory of BLS entries, `images` are the kernels that they name.
    """
    awaits = awaits_kernel(root)
    if not (awaits or sources.first):
        return BareTree()
    places: dict[str, str] = {}
    blocked: dict[str, str] = {}
    for path in (*sources.reads, *READS, ZIPL_CONF, entries):
        if root.stat(path) is None or path == entries:
            place, reason = _place_of_new(root, path)
            if reason:
                blocked[path] = reason
            else:
                places[path] = place
    bare = BareTree(awaits, READS, places, blocked)
    return _with_material(root, bare, images) if sources.first else bare


def awaits_kernel(root: Root) -> bool:
    """Whether this is a system without a kernel: none in /boot, and no kernel modules.

    /boot is also empty if it is not mounted, but the modules are elsewhere.
    """
    names = root.names_or_none("/boot")
    if names is None or root.stat("/etc") is None or any(map(_BOOTED.fullmatch, names)):
        return False
    return not any(root.names_or_none(directory) for directory in MODULES)


def _place_of_new(root: Root, path: str) -> tuple[str, str]:
    """Return the real path of a directory or of a file to create, or why it can't be created.

    Missing parent directories are created with it.
    """
    found = root.nearest(path)
    if found.status is None:
        return "", f"{found.path} is a link to {visible(found.leads_to)}, which does not exist"
    if not found.status.is_directory:
        return "", f"{found.path} is not a directory"
    return found.leads_to, ""


def _with_material(root: Root, bare: BareTree, images: Iterable[str]) -> BareTree:
    found: dict[str, BootName] = {}
    dangling = []
    usual = [
        f"{directory}{name}"
        for directory in ("/boot/", "/")
        for name in root.names_or_none(directory) or ()
        if _BOOT_NAME.fullmatch(name)
    ]
    named = [f"{prefix}{from_root(image)}" for image in images if image for prefix in ("", "/boot")]
    for path in dict.fromkeys((*usual, *named)):
        status = root.stat(path)
        if status is None:
            dangling.append(path)
        elif status.is_regular:
            facts = status.device, status.size, status.modified
            found[path] = BootName(root.real_path(path), *facts, *_kind(root, path))
    releases = {each for place in MODULES for each in root.names_or_none(place) or ()}
    identity = root.text_or_none(MACHINE_ID) or ""
    return bare._replace(
        boot_names=found,
        dangling=tuple(dangling),
        modules=tuple(sorted(releases)),
        machine_id=identity if _ID.fullmatch(identity) else None,
    )


def _kind(root: Root, path: str) -> tuple[bool | None, bool]:
    """Return whether a file is a kernel for s390x, and whether it is a Secure Execution image."""
    offset, mark = _KERNEL_MARK
    if not root.is_readable(path):
        return None, False
    if root.read_ranges(path, [(offset, len(mark))]) == (mark,):
        return True, False
    image = read_kernel_image(lambda ranges: root.read_ranges(path, ranges))
    return False, image.secure is not None
