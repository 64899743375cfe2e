"""Creating, replacing and removing single files, with the parts of a change of several files."""

from __future__ import annotations

import errno
import os

from secboot.system.directory import temporary_name
from secboot.system.file_errors import NotFoundError
from secboot.system.files import FileAttributes, FileContent
from secboot.system.root import Root, split


def write_new(root: Root, path: str, data: bytes) -> None:
    """Create a file that does not exist yet, with mode 0644."""
    parent, name = split(root.real_path(path))
    temporary = temporary_name()
    with root.open_directory(parent) as directory:
        attributes = FileAttributes(0o644, os.geteuid(), os.getegid())
        directory.write_temporary(temporary, data, attributes, shown_as=name)
        try:
            directory.put(name, temporary, None)
        finally:
            directory.discard(temporary)


def replace(root: Root, path: str, data: bytes, expected: FileContent) -> None:
    """Replace the file that `path` leads to, if it is still `expected`; keep its attributes."""
    parent, name = split(root.real_path(path))
    temporary = temporary_name()
    with root.open_directory(parent) as directory:
        directory.write_temporary(temporary, data, expected.attributes, shown_as=name)
        try:
            directory.put(name, temporary, expected)
        finally:
            directory.discard(temporary)


def remove(root: Root, path: str) -> None:
    """Remove a file or link (itself, not what it leads to)."""
    parent, name = split(path)
    with root.open_directory(root.real_path(parent)) as directory:
        if not directory.discard(name):
            message = "not found"
            raise NotFoundError(message, path=root.shown(path), code=errno.ENOENT)
