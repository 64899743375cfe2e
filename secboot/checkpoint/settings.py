"""Settings of the running system that a change makes: pseudo files (sysfs), written in place.

A setting has no old version next to the new one, and belongs to the running system: a power loss ends
both. Its value depends on the files and on what was made from them, so the order matters. A LAST setting
is written when everything else is done, and restored before anything else. A FIRST setting, of which the
change removes what it depends on, is written before any file is replaced, and restored at the very end,
if the system has not been booted since.

As with files, nothing is assumed: a setting is only restored if it still has the value that was written.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.running.system import BOOT_ID
from secboot.system.file_errors import FileError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.system.root import Root

_VALUE = re.compile(r"(?:[0-9A-Za-z.][0-9A-Za-z. ]{0,19})?", re.ASCII)
_PATH = re.compile(r"/(?:sys|proc)(?:/[0-9A-Za-z_][0-9A-Za-z_.-]*)+", re.ASCII)
_BOOT = re.compile(r"[0-9a-f-]{0,36}", re.ASCII)
_PADDING = "\0 \n"
_PAGE = 4096
"""The maximum size of a file in sysfs, in bytes."""


class Moment(StrEnum):
    """When a change writes a setting."""

    FIRST = "first"
    LAST = "last"


class Setting(NamedTuple):
    """One setting: its path in the root, and its value `before` and `after`, without padding.

    `boot` is the boot in which it was written; empty if unknown.
    """

    path: str
    before: str
    after: str
    moment: Moment
    boot: str = ""

    def flaw(self) -> str:
        """Return what no setting that secboot writes has; empty if there is nothing."""
        if not _PATH.fullmatch(self.path):
            return f"{self.path!r} is not the path of a setting"
        if not (_VALUE.fullmatch(self.before) and _VALUE.fullmatch(self.after)):
            return f"{self.path!r} has an invalid value"
        if self.before == self.after:
            return f"{self.path!r} does not change"
        return "" if _BOOT.fullmatch(self.boot) else f"{self.path!r} has an invalid boot ID"


class SettingOutcomes(NamedTuple):
    """The outcome for settings that were to be restored, by their paths.

    `left` are those that somebody changed since, or that cannot be written.
    """

    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def read_setting(root: Root, path: str) -> str | None:
    """Return the value of a setting without padding; None if it does not exist.

    Raises FileError if it cannot be read: its value is then unknown.
    """
    try:
        data = root.read_bytes(path, _PAGE)
    except NotFoundError:
        return None
    return data.decode("utf-8", "surrogateescape").rstrip(_PADDING)


def write_setting(root: Root, path: str, value: str) -> None:
    """Write a setting and read it back; FileError if it does not have the value."""
    root.write_in_place(path, f"{value}\n")
    found = read_setting(root, path)
    if found != value:
        raise FileError(f"set to '{value}', but reads {found!r}", path=root.shown(path))


def boot_of(root: Root) -> str:
    """Return the boot ID of the system; empty if there is none.

    Raises FileError if it cannot be read.
    """
    found = read_setting(root, BOOT_ID) or ""
    return found if _BOOT.fullmatch(found) else ""


def put_back(
    root: Root, settings: Iterable[Setting], moment: Moment, *, despite_failure: bool = False
) -> SettingOutcomes:
    """Restore the settings of this moment that still have the value that was written.

    Raises FileError if one cannot be read or written; with `despite_failure` it is reported as left.
    """
    restored, left = [], []
    for each in settings:
        if each.moment is not moment:
            continue
        try:
            if moment is Moment.FIRST and each.boot != boot_of(root):
                continue
            found = read_setting(root, each.path)
            if found == each.after:
                write_setting(root, each.path, each.before)
                restored.append(each.path)
            elif found != each.before:
                left.append(each.path)
        except FileError:
            if not despite_failure:
                raise
            left.append(each.path)
    return SettingOutcomes(tuple(restored), tuple(left))
