"""Read the files that zipl reads, once each, and remember them with what they lead to.

It is the lookup that zipl's reading asks (`secboot.zipl.file_facts.FileLookup`), and it keeps every
text that was read, because a plan is only valid for exactly these.
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
"""Of a boot file; a zipl.conf with ten thousand sections is smaller."""
ENTRY_LINES_LIMIT = 10_000
"""Of a BLS entry, which has a dozen."""


class BootFile(NamedTuple):
    """A boot file as it was read. `real_path` is where its links lead; `modified` is in ns."""

    path: str
    real_path: str
    data: bytes
    modified: int

    @property
    def text(self) -> str:
        """The content as text: UTF-8, other bytes kept as surrogate escapes, line ends as they are."""
        return decoded(self.data)


class NoFile(NamedTuple):
    """What has the name of a boot file and is none; `reason` is in the words of zipl."""

    path: str
    reason: str


class BootFiles:
    """The files of one root as zipl would find them.

    `changed` are contents that files would have, by path and by real path, None for one that would
    not be there: then this is what zipl would find after such a change.
    """

    def __init__(self, root: Root, changed: Mapping[str, bytes | None] | None = None) -> None:
        self._root = root
        self.changed = changed or {}
        self._read: dict[str, BootFile] = {}
        self._facts: dict[str, FileFacts] = {}
        self._images: dict[str, KernelImage] = {}

    @property
    def files(self) -> tuple[BootFile, ...]:
        """Everything that was read, each file once, in the order of reading."""
        return tuple({file.real_path: file for file in reversed(self._read.values())}.values())[
            ::-1
        ]

    def read(self, path: str) -> BootFile:
        """Read a boot file, or return what was read before. Raises FileError."""
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
        """Read these files of the directory `path`, which is opened once for all of them.

        What is no file, or a link to none, is told as such. Raises FileError for what may not be read.
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
        """None for what was removed since the directory was listed."""
        if self.changed and f"{path}/{name}" in self.changed:
            return self.read(f"{path}/{name}")
        try:
            found = directory.read_dated(name)
        except FileError:
            found = None
        if found is None:
            # A link, or what can't be read: by its path it is followed, or refused with the reason.
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
        """Return what the kernel image says, or None where there is no readable file."""
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
        """Return what is under `path`, as zipl sees it (see `FileLookup.look`)."""
        path = from_root(path)
        known = self._facts.get(path)
        if known is None:
            known = self._facts[path] = self._look(path)
        return known

    def read_text(self, path: str) -> str:
        """Return the text of a file that `look` has called readable."""
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
        if not self._root.is_readable(path):
            return FileFacts(PathKind.UNREADABLE, status.size, modified=status.modified)
        return FileFacts(PathKind.REGULAR, status.size, self._limit(path), status.modified)

    def _limit(self, path: str) -> int | None:
        facts = self.image(path)
        return None if facts is None else facts.max_command_line


def _require_few_lines(data: bytes, limit: int, shown: str) -> None:
    if data.count(b"\n") > limit:
        raise TooLargeError(
            f"the file has more than {limit} lines, far more than a file of its kind has",
            path=shown,
            hint="look what it holds; nothing of it was used",
        )
