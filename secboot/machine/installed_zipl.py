"""The zipl of a tree: the installed release, and the bootmap that it wrote.

The release is read from the program file, which contains it as text (``2.16.0-build-20210818``,
the RELEASE_STRING in common.mak of s390-tools). So it is also known for the tree of another
machine, where the program can't be run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import AccessError, FileError, WrongKindError
from secboot.system.program_search import find_program
from secboot.zipl.file_facts import from_root
from secboot.zipl.version import ZiplVersion

if TYPE_CHECKING:
    from secboot.formats.bootmap import Bootmap
    from secboot.system.root import Root
    from secboot.zipl.configuration import BootConfiguration

BOOTMAP_LIMIT = 128 * 2**20
"""In bytes. A bootmap has about 100 KiB, but with ``zipl --add-files`` it contains the kernels."""
USUAL_TARGET = "/boot"
_RELEASE = rb"\0(\d{1,2})\.(\d{1,3})\.(\d{1,3})[-+][0-9A-Za-z][0-9A-Za-z._+~-]{0,60}\0"
_PROGRAM_LIMIT = 16 * 2**20


def installed_version(root: Root) -> ZiplVersion | None:
    """Return the release of the zipl installed in the root, or None if unknown."""
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
    """The bootmap in zipl's target directory; `path` is where zipl would write it.

    `content` is its content, or `unreadable` the reason why it is unknown; `damaged` means that it
    was read and is not a boot record. `modified` is when it was written, in nanoseconds since 1970;
    None if even that is unknown. `for_root` means that this user has no permission to read it,
    `missing` that it does not exist.
    """

    path: str
    modified: int | None = None
    content: Bootmap | None = None
    unreadable: str | None = None
    damaged: bool = False
    for_root: bool = False

    @property
    def missing(self) -> bool:
        """Whether the bootmap does not exist."""
        return self.modified is None and self.unreadable is None

    def unread(self) -> BootmapFile:
        """Return the same bootmap as if it had not been read."""
        return BootmapFile(self.path, unreadable=f"{self.path} was not read")


def has_usual_record(root: Root) -> bool:
    """Whether a bootmap exists where all distributions have it; True if that is unknown."""
    paths = (f"{USUAL_TARGET}/bootmap", f"{USUAL_TARGET}/zipl/bootmap")
    return any(root.exists_or_none(path) is not False for path in paths)


def read_bootmap_file(root: Root, configuration: BootConfiguration) -> BootmapFile:
    """Find the bootmap where zipl would write it, and read it."""
    paths = [f"{target.rstrip('/')}/bootmap" for target in boot_targets(configuration)]
    for path in paths:
        try:
            status = root.stat(path)
        except FileError as error:
            secret = isinstance(error, AccessError)
            return BootmapFile(path, unreadable=f"{path}: {error.message}", for_root=secret)
        if status is not None:
            return _read(root, path, status.modified)
    return BootmapFile(paths[0])


def boot_targets(configuration: BootConfiguration) -> tuple[str, ...]:
    """The directories where zipl would write the bootmap, the likeliest first.

    With a menu, this is the target of the menu, not those of its sections; without, that of the
    default section. Without any configuration, it is where image builders make zipl write it, or
    where the configuration would be generated (/boot/zipl on SUSE).
    """
    section = configuration.conf.section(DEFAULTBOOT)
    menu = None if section is None else section.value(Keyword.DEFAULTMENU)
    block = next((m for m in configuration.conf.menus if m.name == menu), section)
    named = [None if block is None else block.value(Keyword.TARGET)]
    default = configuration.default
    if default is not None and default.menu_position is None:
        named = [default.target]
    named += [entry.target for entry in configuration.entries]
    found = tuple(dict.fromkeys(from_root(each) for each in named if each))
    if found:
        return found
    directory = configuration.conf.path.rpartition("/")[0]
    return (directory if directory.startswith(f"{USUAL_TARGET}/") else USUAL_TARGET,)


def _read(root: Root, path: str, modified: int) -> BootmapFile:
    # Imported here, since a machine where zipl has not run yet, such as an image, has no bootmap.
    from secboot.formats.bootmap import BootmapError, read_bootmap  # noqa: PLC0415

    try:
        bootmap = read_bootmap(root.read_bytes(path, BOOTMAP_LIMIT), path)
    except AccessError as error:
        reason = f"{path} can't be read: {error.message}; only root can read zipl's bootmap"
        return BootmapFile(path, modified, unreadable=reason, for_root=True)
    except WrongKindError as error:
        return BootmapFile(path, modified, unreadable=f"{path}: {error.message}", damaged=True)
    except FileError as error:
        return BootmapFile(path, modified, unreadable=f"{path}: {error.message}")
    except BootmapError as error:
        return BootmapFile(path, modified, unreadable=error.message, damaged=True)
    return BootmapFile(path, modified, bootmap)
