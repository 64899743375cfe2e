"""Kernels and ramdisks as files: where the names in boot entries point, and what is next to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.zipl.file_facts import from_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from secboot.formats.kernel_image import KernelImage
    from secboot.machine.boot_files import BootFiles
    from secboot.system.root import Root
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.file_facts import FileFacts

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


class Kernels(NamedTuple):
    """What is known about kernels and ramdisks: `images`, `facts` and `kernel_files` of a machine."""

    images: Mapping[str, KernelImage]
    facts: Mapping[str, FileFacts]
    files: KernelFiles


def image_paths(configuration: BootConfiguration) -> tuple[str, ...]:
    """Return the paths of the kernels, one for each boot entry that has one."""
    return tuple(e.image.path for e in configuration.entries if e.image is not None)


def examine_kernels(
    root: Root,
    files: BootFiles,
    configuration: BootConfiguration,
    others: tuple[str, ...],
    started: tuple[str, ...],
    *,
    builds_image: bool,
) -> Kernels:
    """Examine the kernels and ramdisks of the boot entries, and the files next to them.

    `others` are directories with other kernels, `started` the kernels that another loader starts. If
    there is a Secure Execution image, or one is to be built, the kernels to build it from count as
    well: the image can be anywhere, but they are where kernels are installed.
    """
    # zipl installs these; the model of zipl has looked them all up.
    facts = {
        part.path: files.look(part.path)
        for entry in configuration.entries
        for part in (entry.image, entry.ramdisk)
        if part is not None
    }
    paths = dict.fromkeys((*image_paths(configuration), *started))
    images = {path: image for path in paths if (image := files.image(path)) is not None}
    if not (builds_image or any(image.secure for image in images.values())):
        return Kernels(images, facts, _find_kernel_files(root, configuration, others))
    found = _find_kernel_files(root, configuration, (*others, "/boot"))
    # Some Secure Execution images have the name of a kernel (vmlinuz-5.14.0.pv).
    named = ((path, files.image(path)) for path in found.kernels)
    kernels = tuple(path for path, image in named if image is None or image.secure is None)
    facts |= {path: files.look(path) for path in (*kernels, *found.ramdisks, *started)}
    return Kernels(images, facts, found._replace(kernels=kernels))


def _find_kernel_files(
    root: Root, configuration: BootConfiguration, others: tuple[str, ...]
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
    """The names in the directories, without dangling links: packages leave the links of old kernels."""
    for directory in sorted(directories):
        links = _links_in(root, directory or "/")
        for name in root.names_or_none(directory or "/") or ():
            if name not in links or root.exists_or_none(f"{directory}/{name}") is not False:
                yield directory, name


def _called(pattern: str, files: Iterable[tuple[str, str]]) -> Iterator[str]:
    for directory, name in files:
        if re.fullmatch(pattern, name) and not re.search(_LEFTOVER, name):
            yield f"{directory}/{name}"
