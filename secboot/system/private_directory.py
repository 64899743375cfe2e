"""A directory of files for another program to read: private, and gone when that has ended.

Nothing in it is brought to the disk: what a loss of power leaves of it is of no use to anybody.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.system.durable import OpenDirectory
    from secboot.system.root import Root

_PLACES = ("/run", "/tmp", "/var/tmp", "/boot")  # noqa: S108 - the directory made there is private
_MODE = 0o700


class PrivateDirectory:
    """The directory `path` of a root, made by `private_directory`."""

    def __init__(self, path: str, directory: OpenDirectory) -> None:
        self.path = path
        self._directory = directory

    def write(self, name: str, data: bytes) -> str:
        """Write a new file that only its owner may read, and return its path in the root."""
        self._directory.create(name, [data])
        return f"{self.path}/{name}"


@contextmanager
def private_directory(root: Root) -> Iterator[PrivateDirectory]:
    """Make a directory, and remove it with all its files in the end. Raises FileError."""
    place = next((path for path in _PLACES if root.exists(path)), "/")
    path = f"{root.real_path(place).rstrip('/')}/secboot-{os.urandom(8).hex()}"
    above, name = root.open_parent(path)
    with closing(above):
        above.make(name, _MODE)
        try:
            directory, _ = root.open_parent(f"{path}/file")
            with closing(directory):
                try:
                    yield PrivateDirectory(path, directory)
                finally:
                    for file in root.list_directory(path):
                        directory.discard(file)
        finally:
            above.discard_directory(name)
