"""Where a file of a change stands: the directory it is in, held open, and what it is now."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from secboot.system.file_errors import FileError
from secboot.system.root import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.checkpoint.record import FileVersion, SavedFile
    from secboot.system.directory import OpenDirectory
    from secboot.system.files import FileContent
    from secboot.system.root import Root


@dataclass(frozen=True, slots=True)
class Place:
    """One file of a change, by its directory and its name in it."""

    file: SavedFile
    directory: OpenDirectory
    name: str

    def read(self) -> FileContent | None:
        """The file as it is now; None when there is none."""
        return self.directory.read(self.name)

    def discard_temporaries(self) -> None:
        """Remove the temporary files of the change; what can't be removed stays."""
        for name in (self.file.prepared, self.file.restored):
            with suppress(FileError):
                self.directory.discard(name)


class Places:
    """The files of a change, their directories held open and each opened once."""

    def __init__(self, root: Root, files: Sequence[SavedFile]) -> None:
        self._directories: dict[str, OpenDirectory] = {}
        try:
            self.all = tuple(self._place(root, file) for file in files)
        except BaseException:
            self.close()
            raise

    def _place(self, root: Root, file: SavedFile) -> Place:
        parent, name = split(file.path)
        if parent not in self._directories:
            self._directories[parent] = root.open_directory(parent)
        return Place(file, self._directories[parent], name)

    def sync(self) -> None:
        """Bring the names in all the directories to the disk."""
        for directory in self._directories.values():
            directory.sync()

    def discard_temporaries(self) -> None:
        """Remove all temporary files of the change."""
        for place in self.all:
            place.discard_temporaries()

    def discard_displaced(self) -> None:
        """Remove the old files, which a change that is done has no more need of."""
        for place in self.all:
            with suppress(FileError):
                place.directory.discard(place.file.prepared)

    def close(self) -> None:
        """Let the directories go."""
        while self._directories:
            self._directories.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def matches(found: FileContent | None, version: FileVersion | None) -> bool:
    """Whether a file as found has the bytes of `version` (both None: there is none)."""
    if found is None or version is None:
        return found is None and version is None
    return found.digest == version.digest
