"""Single files made, replaced and removed with what a change of several files is made of."""

from __future__ import annotations

import errno
import os
from contextlib import closing

from secboot.system.durable import FileContent, temporary_name
from secboot.system.file_errors import NotFoundError
from secboot.system.files import FileAttributes
from secboot.system.root import Root


def write_new(root: Root, path: str, data: bytes) -> None:
    """Create a file that does not exist yet, with mode 0644."""
    directory, name = root.open_parent(root.real_path(path))
    temporary = temporary_name()
    with closing(directory):
        attributes = FileAttributes(0o644, os.geteuid(), os.getegid())
        directory.write_temporary(temporary, data, attributes, shown_as=name)
        try:
            directory.put(name, temporary, None)
        finally:
            directory.discard(temporary)


def replace(root: Root, path: str, data: bytes, expected: FileContent) -> None:
    """Replace the file that `path` leads to, if it is still `expected`; keep its attributes."""
    directory, name = root.open_parent(root.real_path(path))
    temporary = temporary_name()
    with closing(directory):
        directory.write_temporary(temporary, data, expected.attributes, shown_as=name)
        try:
            directory.put(name, temporary, expected)
        finally:
            directory.discard(temporary)


def remove(root: Root, path: str) -> None:
    """Remove a file or link (itself, not what it leads to)."""
    parent, _, name = path.rpartition("/")
    directory, name = root.open_parent(f"{root.real_path(parent or '/').rstrip('/')}/{name}")
    with closing(directory):
        if not directory.discard(name):
            message = "there is no such file"
            raise NotFoundError(message, path=root.shown(path), code=errno.ENOENT)
