"""Kernels and ramdisks as files: where the names in boot entries point, and what is next to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.zipl.file_facts import from_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from secboot.system.root import Root
    from secboot.zipl.configuration import BootConfiguration

_KERNEL = r"(?:vmlinu[xz]|[Ii]mage|bzImage|kernel|linux)-"
_RAMDISK = r"(?:initrd\.img|initrd|initramfs)-"
_RELEASE = r"(\d+\.\d+[0-9A-Za-z.+~^_-]*?)"
_NAME = rf"(?a:(?:{_KERNEL}|{_RAMDISK}){_RELEASE}(?:\.img)?)"
_KERNEL_NAME = rf"(?a:{_KERNEL}{_RELEASE})"
_RAMDISK_NAME = rf"(?a:{_RAMDISK}{_RELEASE}(?:\.img)?)"
_LEFTOVER = r"(?a:[.~](?:old|bak|orig|save|hmac|sig|gz|tmp|dpkg-\w+|rpm\w+)?$)"
"""Name endings of copies, which no package installs as a kernel."""


class Link(NamedTuple):
    """A symbolic link that a boot entry names.

    `says` is the text of the link, `target` the path inside the tree that it finally points to.
    `target` is None if that is unknown; then `reason` says why.
    """

    says: str
    target: str | None
    reason: str = ""


class KernelFiles(NamedTuple):
    """What is known about the files that boot entries name, other than their contents.

    `links` has the absolute paths that entries name as keys. `kernels` are the paths of all kernels
    with a release in their names in the directories of the entries' kernels and those where the
    layout searches; `ramdisks` are the ramdisks in the same directories.
    """

    links: Mapping[str, Link]
    kernels: tuple[str, ...] = ()
    ramdisks: tuple[str, ...] = ()

    def link(self, path: str) -> Link | None:
        """Return the link at a path as an entry names it; None if it is not a link."""
        return self.links.get(from_root(path))

    def target(self, path: str) -> str:
        """Return where a path as an entry names it points, as far as this is known."""
        return _place(self.links, from_root(path))


NO_KERNEL_FILES = KernelFiles({})


def release_of(path: str) -> str | None:
    """Return the release at the end of the name of a kernel or ramdisk; None if there is none.

    Rescue kernels (``vmlinuz-0-rescue-ID``) and copies (``.old``) have none.
    """
    name = path.rpartition("/")[2]
    found = re.fullmatch(_NAME, name)
    return None if found is None or re.search(_LEFTOVER, name) else found[1]


def find_kernel_files(
    root: Root, configuration: BootConfiguration, others: tuple[str, ...] = ()
) -> KernelFiles:
    """Examine the directories of the files that boot entries name, each once, and `others`."""
    parts = [(entry.image, entry.ramdisk) for entry in configuration.entries]
    images = {from_root(image.path) for image, _ in parts if image is not None}
    ramdisks = {from_root(ramdisk.path) for _, ramdisk in parts if ramdisk is not None}
    links: dict[str, Link] = {}
    said: dict[str, Mapping[str, str]] = {}
    for path in sorted(images | ramdisks):
        directory, _, name = path.rpartition("/")
        if directory not in said:
            said[directory] = _links_in(root, directory or "/")
        if name in said[directory]:
            links[path] = _followed(root, path, said[directory][name])
    places = {_place(links, path).rpartition("/")[0] for path in images}
    files = tuple(_files_in(root, places.union(others)))
    return KernelFiles(
        links, tuple(_called(_KERNEL_NAME, files)), tuple(_called(_RAMDISK_NAME, files))
    )


def _place(links: Mapping[str, Link], path: str) -> str:
    link = links.get(path)
    return path if link is None or link.target is None else link.target


def _links_in(root: Root, directory: str) -> Mapping[str, str]:
    try:
        return root.symbolic_links(directory)
    except FileError:
        return {}


def _followed(root: Root, path: str, says: str) -> Link:
    try:
        target = root.real_path(path)
        if root.exists(target):
            return Link(says, target)
    except FileError as error:
        return Link(says, None, error.message)
    where = "this tree" if root.base != "/" else "this system"
    return Link(says, None, f"which is not in {where}")


def _files_in(root: Root, directories: set[str]) -> Iterator[tuple[str, str]]:
    for directory in sorted(directories):
        for name in root.names_or_none(directory or "/") or ():
            yield directory, name


def _called(pattern: str, files: Iterable[tuple[str, str]]) -> Iterator[str]:
    for directory, name in files:
        if re.fullmatch(pattern, name) and not re.search(_LEFTOVER, name):
            yield f"{directory}/{name}"
