"""The zipl of a tree: which release is installed, and the file that it wrote for the loader.

The release is read from the program itself, which holds it as text (``2.16.0-build-20210818``,
the RELEASE_STRING of s390-tools' common.mak). So it is known for the tree of another machine
too, where the program can't be run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import AccessError, FileError
from secboot.system.programs import find_program
from secboot.zipl.version import ZiplVersion

if TYPE_CHECKING:
    from secboot.formats.bootmap import Bootmap
    from secboot.system.root import Root
    from secboot.zipl.configuration import BootConfiguration

BOOTMAP_LIMIT = 128 * 2**20
"""Bytes. A bootmap has some 100 KiB, but with ``zipl --add-files`` it holds the kernels too."""
_RELEASE = rb"\0(\d{1,2})\.(\d{1,3})\.(\d{1,3})[-+][0-9A-Za-z][0-9A-Za-z._+~-]{0,60}\0"
_PROGRAM_LIMIT = 16 * 2**20


def installed_version(root: Root) -> ZiplVersion | None:
    """Return the release of the zipl that is installed in the root, or None if unknown."""
    path = find_program(root, "zipl")
    if path is None:
        return None
    try:
        found = re.search(_RELEASE, root.read_bytes(path, _PROGRAM_LIMIT))
    except FileError:
        return None
    if found is None:
        return None
    major, minor, patch = (int(part) for part in found.groups())
    return ZiplVersion(major, minor, patch)


class BootmapFile(NamedTuple):
    """A bootmap in zipl's target directory.

    `content` is what it holds, or `unreadable` the reason why that is not known. `modified` is
    when it was written, in nanoseconds since 1970; None where not even that can be seen.
    """

    path: str
    modified: int | None
    content: Bootmap | None = None
    unreadable: str | None = None


def read_bootmap_file(root: Root, configuration: BootConfiguration) -> BootmapFile | None:
    """Find the bootmap where zipl would write it, and read it; None where there is none."""
    for target in boot_targets(configuration):
        path = f"{target.rstrip('/')}/bootmap"
        try:
            status = root.stat(path)
        except FileError as error:
            return BootmapFile(path, None, unreadable=error.message)
        if status is not None:
            return _read(root, path, status.modified)
    return None


def boot_targets(configuration: BootConfiguration) -> tuple[str, ...]:
    """The directories in which zipl would write the bootmap, the likeliest first.

    A menu's own target counts, not those of its sections; without a menu, the default section's.
    """
    section = configuration.conf.section(DEFAULTBOOT)
    menu = None if section is None else section.value(Keyword.DEFAULTMENU)
    block = next((m for m in configuration.conf.menus if m.name == menu), section)
    named = [None if block is None else block.value(Keyword.TARGET)]
    default = configuration.default
    if default is not None and default.menu_position is None:
        named = [default.target]
    named += [entry.target for entry in configuration.entries]
    return tuple(dict.fromkeys(each for each in named if each and each.startswith("/")))


def _read(root: Root, path: str, modified: int) -> BootmapFile:
    # Imported here since a machine whose zipl has not run, such as an image, has no bootmap.
    from secboot.formats.bootmap import BootmapError, read_bootmap  # noqa: PLC0415

    try:
        bootmap = read_bootmap(root.read_bytes(path, BOOTMAP_LIMIT), path)
    except AccessError as error:
        reason = f"{path} can't be read: {error.message}; zipl makes it readable for root only"
        return BootmapFile(path, modified, unreadable=reason)
    except (FileError, BootmapError) as error:
        reason = error.message if isinstance(error, BootmapError) else f"{path}: {error.message}"
        return BootmapFile(path, modified, unreadable=reason)
    return BootmapFile(path, modified, bootmap)
