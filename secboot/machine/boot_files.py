"""Reads the files that zipl reads, once each, and keeps them with their real paths.

It is the lookup for the model of zipl (`secboot.zipl.file_facts.FileLookup`). It keeps every text
that was read, because a plan is only valid for exactly these texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_image import KernelImage, read_kernel_image
from secboot.formats.text import decoded
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError, NotFoundError, TooLargeError, WrongKindError
from secboot.zipl.file_facts import FileFacts, PathKind, from_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from secboot.system.directory import OpenDirectory
    from secboot.system.root import Root


_MISSING = FileFacts(PathKind.MISSING)
SIZE_LIMIT = 4 * 2**20
LINES_LIMIT = 75_000
"""The limit for a boot file; a zipl.conf with ten thousand sections is smaller."""
ENTRY_LINES_LIMIT = 10_000
"""The limit for a BLS entry, which has about a dozen lines."""


class BootFile(NamedTuple):
    """A boot file as read. `real_path` is its path without links; `modified` is in ns since 1970."""

    path: str
    real_path: str
    data: bytes
    modified: int

    @property
    def text(self) -> str:
        """The content as text: UTF-8, other bytes as surrogate escapes, line ends unchanged."""
        return decoded(self.data)


class NoFile(NamedTuple):
    """Something with the name of a boot file that is not a file; `reason` is worded as in zipl."""

    path: str
    reason: str


class BootFiles:
    """The files of one root as zipl would find them.

    `changed` maps paths and real paths to the contents of files after a change, None for a removed
    file: the result is then what zipl would find after this change.
    """

    def __init__(self, root: Root, changed: Mapping[str, bytes | None] | None = None) -> None:
        self._root = root
        self.changed = changed or {}
        self._read: dict[str, BootFile] = {}
        self._facts: dict[str, FileFacts] = {}
        self._images: dict[str, KernelImage] = {}

    @property
    def files(self) -> tuple[BootFile, ...]:
        """All files that were read, each once, in the order of reading."""
        return tuple({file.real_path: file for file in reversed(self._read.values())}.values())[
            ::-1
        ]

    def read(self, path: str) -> BootFile:
        """Return a boot file, reading it only once. Raises FileError."""
        path = from_root(path)
        known = self._read.get(path)
        if known is None:
            status = self._root.stat(path)
            data = self.changed.get(path)
            if data is None:
                data = self._root.read_bytes(path, SIZE_LIMIT)
                _require_few_lines(data, LINES_LIMIT, self._root.shown(path))
            modified = 0 if status is None else status.modified
            new = status is None and path in self.changed
            known = BootFile(path, path if new else self._root.real_path(path), data, modified)
            self._read[path] = known
        return known

    def read_directory(self, path: str, names: Sequence[str]) -> Iterator[BootFile | NoFile]:
        """Read these files in the directory `path`, which is opened once for all of them.

        Yields a `NoFile` for anything but a file or a link to one. Raises FileError for a file that
        can't be read.
        """
        if not names:
            return
        real = self._root.real_path(path)
        with self._root.open_directory(real) as directory:
            for name in names:
                found = self._read_in(directory, real, path, name)
                if found is not None:
                    yield found

    def _read_in(
        self, directory: OpenDirectory, real: str, path: str, name: str
    ) -> BootFile | NoFile | None:
        """Return None for a file that was removed after the directory was listed."""
        if self.changed and f"{path}/{name}" in self.changed:
            return self.read(f"{path}/{name}")
        try:
            found = directory.read_dated(name)
        except FileError:
            found = None
        if found is None:
            # A link, or unreadable: reading by path follows the link, or fails with the reason.
            try:
                file = self.read(f"{path}/{name}")
            except WrongKindError:
                return NoFile(f"{path}/{name}", FileFacts(PathKind.OTHER).reason)
            except NotFoundError:
                is_link = self._root.link_target(f"{path}/{name}") is not None
                return NoFile(f"{path}/{name}", _MISSING.reason) if is_link else None
        elif len(found[0]) > SIZE_LIMIT:
            return self.read(f"{path}/{name}")
        else:
            data, modified = found
            file = BootFile(f"{path}/{name}", f"{real}/{name}", data, modified)
            file = self._read.setdefault(file.path, file)
        _require_few_lines(file.data, ENTRY_LINES_LIMIT, self._root.shown(file.path))
        return file

    def image(self, path: str) -> KernelImage | None:
        """Return the facts in the kernel image, or None if the file can't be read."""
        path = from_root(path)
        if path not in self._images:
            try:
                self._images[path] = read_kernel_image(
                    lambda ranges: self._root.read_ranges(path, ranges)
                )
            except (FileError, ValueError):
                return None
        return self._images[path]

    def look(self, path: str) -> FileFacts:
        """Return the facts about `path`, as zipl sees them (see `FileLookup.look`)."""
        path = from_root(path)
        known = self._facts.get(path)
        if known is None:
            known = self._facts[path] = self._look(path)
        return known

    def read_text(self, path: str) -> str:
        """Return the text of a file that is readable according to `look`."""
        return self.read(path).text

    def _look(self, path: str) -> FileFacts:
        if not path or "\0" in path:
            return _MISSING
        if path in self.changed:
            data = self.changed[path]
            is_gone = data is None
            return FileFacts(PathKind.MISSING if is_gone else PathKind.REGULAR, len(data or b""))
        try:
            status = self._root.stat(path)
        except FileError:
            status = None
        if status is None:
            return _MISSING
        if not status.is_regular:
            return FileFacts(PathKind.DIRECTORY if status.is_directory else PathKind.OTHER)
        image = self.image(path)
        if image is None and not self._root.is_readable(path):
            return FileFacts(PathKind.UNREADABLE, status.size, modified=status.modified)
        limit = None if image is None else image.max_command_line
        return FileFacts(PathKind.REGULAR, status.size, limit, status.modified)


def _require_few_lines(data: bytes, limit: int, shown: str) -> None:
    if data.count(b"\n") > limit:
        raise TooLargeError(
            f"the file has more than {limit} lines, far more than a file of this kind has",
            path=shown,
            hint="check its contents; none of it was used",
        )
