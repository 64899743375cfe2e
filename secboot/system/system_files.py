"""Small files of /proc and /sys, where a file that is missing or may not be read is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.system.file_errors import FileError

if TYPE_CHECKING:
    from secboot.system.root import Root

_LIMIT = 2**20


def text_or_none(root: Root, path: str) -> str | None:
    """The text of a file without the newline at its end, or None when it can't be read."""
    try:
        data = root.read_bytes(path, _LIMIT)
    except FileError:
        return None
    return data.decode("utf-8", "surrogateescape").removesuffix("\n")


def list_or_none(root: Root, path: str) -> tuple[str, ...] | None:
    """The names in a directory, or None when it can't be read."""
    try:
        return root.list_directory(path)
    except FileError:
        return None
