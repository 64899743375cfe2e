"""The managed directory tree, through which every file of the machine is read and written.

Paths are strings, absolute inside the tree (``/etc/zipl.conf``); bytes that are not UTF-8 are held by
``surrogateescape``. Nothing outside the tree is reached, whatever symbolic links it contains and whoever
changes them meanwhile (`secboot.system.confined`).
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from secboot.named_tuple import NamedTuple
from secboot.system.confined import Resolver, WalkResolver, resolver_for
from secboot.system.directory import OpenDirectory, PrivateDirectory
from secboot.system.file_errors import ErrorsAbout, FileError
from secboot.system.files import (
    FILE_LIMIT,
    READ_FLAGS,
    FileContent,
    FileStat,
    decode,
    encode,
    read_all,
    read_content,
    require_regular,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_NO_LINK = _ABSENT | {errno.EINVAL}
_SMALL = 2**20
"""In bytes; more than any file of /proc and /sys that is read here."""
_IN_PLACE_FLAGS = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PRIVATE_PLACES = ("/run", "/tmp", "/var/tmp", "/boot")  # noqa: S108 - the directory made there is private


class Root:
    """A directory tree, held open. Close it, or use it as a context manager.

    `base` is its path on this machine; in error messages it precedes the path. Raises `NotFoundError` or
    another `FileError` if it is not a directory that can be opened.

    Unless stated otherwise, every method raises `FileError` for errors of the operating system, and
    ValueError for a path that is not absolute (a mistake of the caller).
    """

    def __init__(self, base: Path) -> None:
        shown = os.fspath(base)
        with ErrorsAbout(shown):
            descriptor = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._take(descriptor, shown)

    def _take(self, descriptor: int, shown: str, resolver: Resolver | None = None) -> None:
        self._fd = descriptor
        self._shown = shown.rstrip("/")
        self._resolver = resolver_for(descriptor) if resolver is None else resolver

    def close(self) -> None:
        """Close the tree."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def base(self) -> str:
        """The path of the tree on this machine."""
        return self._shown or "/"

    def shown(self, path: str) -> str:
        """Return `path` with the path of the tree before it, as the user would type it."""
        return self._shown + path if self._shown else path

    def subtree(self, path: str) -> Root:
        """Return the directory `path` as a tree of its own; nothing outside it is reached."""
        with ErrorsAbout(self.shown(path)):
            descriptor = self._open(path, os.O_PATH | os.O_DIRECTORY)
        inner = Root.__new__(Root)
        inner._take(descriptor, self.shown(path))  # noqa: SLF001 - the same class
        return inner

    def stat(self, path: str) -> FileStat | None:
        """Return the status of what `path` leads to, following links; None if it does not exist."""
        with ErrorsAbout(self.shown(path)):
            found = self._open_or_none(path, os.O_PATH)
            if found is None:
                return None
            try:
                return FileStat.of(os.fstat(found))
            finally:
                os.close(found)

    def link_target(self, path: str) -> str | None:
        """Return the text of the symbolic link `path`, which may lead anywhere; None if it is not a link."""
        parent, name = split(path)
        with ErrorsAbout(self.shown(path)):
            directory = self._open_or_none(parent, os.O_PATH | os.O_DIRECTORY)
            if directory is None:
                return None
            try:
                return decode(os.fsencode(os.readlink(os.fsdecode(encode(name)), dir_fd=directory)))
            except OSError as error:
                if error.errno in _NO_LINK:
                    return None
                raise
            finally:
                os.close(directory)

    def exists(self, path: str) -> bool:
        """Whether `path` leads to anything."""
        return self.stat(path) is not None

    def exists_or_none(self, path: str) -> bool | None:
        """Whether `path` leads to anything; None if that cannot be determined."""
        try:
            return self.exists(path)
        except FileError:
            return None

    def is_readable(self, path: str) -> bool:
        """Whether `path` leads to a regular file that can be opened for reading."""
        try:
            os.close(self._open_regular(path))
        except FileError:
            return False
        return True

    def read_bytes(self, path: str, limit: int = FILE_LIMIT) -> bytes:
        """Return the content of a regular file; `TooLargeError` if it has more than `limit` bytes.

        A directory, FIFO, device or socket is refused with `WrongKindError`, without blocking.
        """
        with ErrorsAbout(self.shown(path)):
            file = self._open_regular(path)
            try:
                return read_all(file, self.shown(path), limit)
            finally:
                os.close(file)

    def read_file(self, path: str, limit: int = FILE_LIMIT) -> FileContent:
        """Return the content and attributes of a regular file, which is opened once for both."""
        with ErrorsAbout(self.shown(path)):
            file = self._open_regular(path)
            try:
                return read_content(file, self.shown(path), limit)
            finally:
                os.close(file)

    def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
        """Return the bytes of a regular file at each (offset, size); fewer at its end."""
        with ErrorsAbout(self.shown(path)):
            file = self._open_regular(path)
            try:
                return tuple(_read_range(file, offset, size) for offset, size in ranges)
            finally:
                os.close(file)

    def text_or_none(self, path: str) -> str | None:
        """Return the text of a small file of /proc or /sys without its final newline.

        None if it cannot be read: there, a missing or unreadable file is not an error.
        """
        try:
            data = self.read_bytes(path, _SMALL)
        except FileError:
            return None
        return data.decode("utf-8", "surrogateescape").removesuffix("\n")

    def write_in_place(self, path: str, text: str) -> None:
        """Write a file of /proc or /sys, which accepts what is written as one message.

        It must exist, and no part of its path may be a symbolic link. Nothing of this is atomic or durable,
        so it must not be used for any other file.
        """
        shown = self.shown(path)
        with ErrorsAbout(shown):
            look = self._resolver.open_direct(_absolute(path), os.O_PATH | os.O_NOFOLLOW)
            try:
                require_regular(os.fstat(look), shown)
            finally:
                os.close(look)
            file = self._resolver.open_direct(_absolute(path), _IN_PLACE_FLAGS)
            try:
                os.write(file, encode(text))
            finally:
                os.close(file)

    def names_or_none(self, path: str) -> tuple[str, ...] | None:
        """Return the names in a directory; None if it cannot be read."""
        try:
            return self.list_directory(path)
        except FileError:
            return None

    def list_directory(self, path: str) -> tuple[str, ...]:
        """Return the names in a directory, sorted by their bytes, without ``.`` and ``..``."""
        with ErrorsAbout(self.shown(path)):
            directory = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                names = sorted(os.fsencode(name) for name in os.listdir(directory))  # noqa: PTH208 - an open directory
            finally:
                os.close(directory)
        return tuple(decode(name) for name in names)

    def symbolic_links(self, path: str) -> dict[str, str]:
        """Return the symbolic links in a directory by name, each with its text."""
        with ErrorsAbout(self.shown(path)):
            directory = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with os.scandir(directory) as names:
                    links = [os.fsencode(each.name) for each in names if each.is_symlink()]
                return {decode(n): decode(os.readlink(n, dir_fd=directory)) for n in links}
            finally:
                os.close(directory)

    def real_path(self, path: str) -> str:
        """Return the path inside the tree that `path` leads to, without symbolic links and ``..``.

        A missing last part stays as it is. This is the path to write to, so that the target of a link is
        changed and the link is kept.
        """
        with ErrorsAbout(self.shown(path)):
            return decode(WalkResolver(self._fd).real_path(_absolute(path)))

    def nearest(self, path: str) -> Nearest:
        """Return what is at `path`, or nearest above it, for a file that is to be created there.

        If a dangling link is in the way, it is that link.
        """
        names = path.split("/")[1:]
        for depth in range(len(names), -1, -1):
            there = "/" + "/".join(names[:depth])
            status = self.stat(there)
            if status is not None:
                real_path = "/".join([self.real_path(there).rstrip("/"), *names[depth:]])
                return Nearest(there, depth == len(names), status, real_path)
            target = self.link_target(there)
            if target is not None:
                return Nearest(there, depth == len(names), None, target)
        raise LookupError(path)

    def open_directory(self, real_path: str) -> OpenDirectory:
        """Return the directory of a real path, held open.

        No symbolic link is followed: `FileError` (ELOOP) if a directory of the path has become a link
        since `real_path` was called.
        """
        shown = self.shown(real_path)
        with ErrorsAbout(shown):
            flags = os.O_PATH | os.O_DIRECTORY
            return OpenDirectory(self._resolver.open_direct(_absolute(real_path), flags), shown)

    def read_direct(self, real_path: str) -> FileContent | None:
        """Return the regular file of a real path; None if it does not exist. No link is followed."""
        parent, name = split(real_path)
        with self.open_directory(parent) as directory:
            return directory.read(name)

    def make_directories(self, path: str, mode: int = 0o755) -> tuple[str, ...]:
        """Create the directory `path` and missing ones above it; they are on the disk when this returns.

        The directory gets `mode`, those above it 0755, independent of the umask. Returns those that were
        missing, outermost first.
        """
        real = self.real_path(path)
        missing = tuple(each for each in (*parents(real), real) if self.stat(each) is None)
        for partial in missing:
            self._make_directory(partial, mode if partial == real else 0o755)
        return missing

    def discard_directories(self, paths: Sequence[str]) -> None:
        """Remove those of the directories that exist and are empty; any other one stays."""
        for path in sorted(paths, reverse=True):
            parent, name = split(path)
            with suppress(FileError), self.open_directory(parent) as directory:
                directory.discard_directory(name)
                directory.sync()

    def _make_directory(self, path: str, mode: int) -> None:
        parent, name = split(path)
        with self.open_directory(parent) as directory:
            directory.make(name, mode)
            directory.sync()

    @contextmanager
    def private_directory(self) -> Iterator[PrivateDirectory]:
        """Create a directory for another program to read; it and its files are removed at the end.

        Nothing in it is synced to the disk, because nothing needs it after a power loss.
        """
        place = next((path for path in _PRIVATE_PLACES if self.exists(path)), "/")
        above = self.real_path(place)
        path = f"{above.rstrip('/')}/secboot-{os.urandom(8).hex()}"
        with self.open_directory(above) as parent:
            _, name = split(path)
            parent.make(name, 0o700)
            try:
                with self.open_directory(path) as directory:
                    try:
                        yield PrivateDirectory(path, directory)
                    finally:
                        for file in self.list_directory(path):
                            directory.discard(file)
            finally:
                parent.discard_directory(name)

    def _open(self, path: str, flags: int) -> int:
        return self._resolver.open(_absolute(path), flags)

    def _open_or_none(self, path: str, flags: int) -> int | None:
        try:
            return self._open(path, flags)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise

    def _open_regular(self, path: str) -> int:
        shown = self.shown(path)
        with ErrorsAbout(shown):
            # Checked first: merely opening a device can have an effect (a tape rewinds).
            look = self._open(path, os.O_PATH)
            try:
                require_regular(os.fstat(look), shown)
            finally:
                os.close(look)
            file = self._open(path, READ_FLAGS)
            try:
                require_regular(os.fstat(file), shown)
            except BaseException:
                os.close(file)
                raise
            return file


class Nearest(NamedTuple):
    """The part of a path that exists: `path`, which may be all of it. `status` is None for a dangling link.

    `leads_to` is the text of that link, otherwise the real path that the whole path will have.
    """

    path: str
    is_all: bool
    status: FileStat | None
    leads_to: str


def split(real_path: str) -> tuple[str, str]:
    """Return the directory of a real path, and the name in it; ValueError if it has no name."""
    parent, _, name = real_path.rpartition("/")
    if name in {"", ".", ".."}:
        raise ValueError(real_path)
    return parent or "/", name


def parents(path: str) -> tuple[str, ...]:
    """Return the directories above `path`, outermost first: for /var/lib/x, /var and /var/lib."""
    names = path.strip("/").split("/")
    return tuple("/" + "/".join(names[:depth]) for depth in range(1, len(names)))


def _absolute(path: str) -> bytes:
    if not path.startswith("/"):
        raise ValueError(path)
    return encode(path)


def _read_range(file: int, offset: int, size: int) -> bytes:
    parts = []
    while size > 0 and (chunk := os.pread(file, size, offset)):
        parts.append(chunk)
        offset += len(chunk)
        size -= len(chunk)
    return b"".join(parts)
