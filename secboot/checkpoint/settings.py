"""Settings of the running system that a change makes: pseudo files (sysfs), written in place.

A setting has no old version beside the new one, and belongs to the system that runs: a loss of power
ends both. What it is set to relies on the files and on what was made from them, so there is an order.
One that a change makes LAST is written when all else is done, and put back before anything else is.
One that is made FIRST, since the change takes away what it relies on, is written before any file is
replaced, and put back at the very end, if the system is still the one that it was written in.

As with files nothing is taken on trust: only what still has the value that was written is put back.
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
"""A file of sysfs has no more bytes."""


class Moment(StrEnum):
    """When a change writes a setting."""

    FIRST = "first"
    LAST = "last"


class Setting(NamedTuple):
    """One setting: its path in the root, and its value `before` and `after`, without padding.

    `boot` is the boot in which it was written; empty where that is not known.
    """

    path: str
    before: str
    after: str
    moment: Moment
    boot: str = ""

    def flaw(self) -> str:
        """Say what no setting of ours has."""
        if not _PATH.fullmatch(self.path):
            return f"{self.path!r} is not the path of a setting"
        if not (_VALUE.fullmatch(self.before) and _VALUE.fullmatch(self.after)):
            return f"{self.path!r} has a value that no setting has"
        if self.before == self.after:
            return f"{self.path!r} does not change"
        return "" if _BOOT.fullmatch(self.boot) else f"{self.path!r} is of no boot"


class SettingOutcomes(NamedTuple):
    """What became of settings that were to be put back, by their paths.

    `left` ones were changed by somebody since, or can't be written.
    """

    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def read_setting(root: Root, path: str) -> str | None:
    """Return the value of a setting without padding; None where there is no such setting.

    Raises FileError where it can't be read: it may be anything then.
    """
    try:
        data = root.read_bytes(path, _PAGE)
    except NotFoundError:
        return None
    return data.decode("utf-8", "surrogateescape").rstrip(_PADDING)


def write_setting(root: Root, path: str, value: str) -> None:
    """Write a setting, and make sure that it took the value; FileError if it did not."""
    root.write_in_place(path, f"{value}\n")
    found = read_setting(root, path)
    if found != value:
        raise FileError(f"this was set to '{value}', but says {found!r}", path=root.shown(path))


def boot_of(root: Root) -> str:
    """Return which boot of the system this is; empty where it does not tell.

    Raises FileError where that can't be read.
    """
    found = read_setting(root, BOOT_ID) or ""
    return found if _BOOT.fullmatch(found) else ""


def put_back(
    root: Root, settings: Iterable[Setting], moment: Moment, *, despite_failure: bool = False
) -> SettingOutcomes:
    """Put back the settings of this moment that still have the value that was written.

    Raises FileError where one can't be read or written, unless that is to be reported as left.
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
