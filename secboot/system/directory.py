"""Replacing files so that each is the old or the new one at any moment, even after a power loss.

The order guarantees this: the new content is written to a temporary file next to the old one and reaches
the disk (fsync) before any name changes; names change by rename, which is atomic; the directory reaches
the disk (fsync) before anything depends on it. ext4, XFS and btrfs all guarantee this; nothing here relies
on what they do beyond it (for example ext4's flush before a rename).

Nothing is ever written into an existing file, so another hard link to it, inside or outside the tree,
keeps the old content and is no longer a link to this file.

Everything is relative to a directory that is held open, so replacing directories of a path meanwhile
cannot make it touch anything else.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeVar

from secboot.system import files
from secboot.system.file_errors import (
    AccessError,
    ChangedError,
    ErrorsAbout,
    FileError,
    WrongKindError,
    file_error,
)
from secboot.system.files import FILE_LIMIT, FileAttributes, FileContent, encode
from secboot.system.syscalls import UnavailableError, exchange, rename_new
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Taken = TypeVar("_Taken")

_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def temporary_name() -> str:
    """Return a name for a temporary file that nobody can guess.

    It starts with a dot and does not end in ``.conf``: zipl treats every name with that suffix as a boot
    entry, even a hidden one (zipl/src/scan.c: bls_filter).
    """
    return f".secboot-{os.urandom(8).hex()}.tmp"


class OpenDirectory:
    """A directory inside a tree, held open; its files are read and replaced by name.

    Names are strings as in `Root`. Symbolic links are never followed: callers use the real path of a file.
    Every method raises `FileError` with the path as the user sees it.
    """

    def __init__(self, descriptor: int, shown: str) -> None:
        self._fd = descriptor
        self._shown = shown.rstrip("/")

    def close(self) -> None:
        """Close the directory."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str, limit: int = FILE_LIMIT) -> FileContent | None:
        """Return the regular file `name`; None if it does not exist. Other kinds are refused."""
        return self._open_and(lambda file: files.read_content(file, self.shown(name), limit), name)

    def read_dated(self, name: str, limit: int = FILE_LIMIT) -> tuple[bytes, int] | None:
        """Return the bytes of the file and when it was last modified, in ns since 1970; as `read`."""

        def take(file: int) -> tuple[bytes, int]:
            return files.read_all(file, self.shown(name), limit), os.fstat(file).st_mtime_ns

        return self._open_and(take, name)

    def _open_and(self, take: Callable[[int], _Taken], name: str) -> _Taken | None:
        """Return what `take` returns for the regular file `name`, open for reading; None if it does not exist."""
        shown = self.shown(name)
        with ErrorsAbout(shown):
            try:
                # Checked first: merely opening a device can have an effect.
                files.require_regular(os.lstat(encode(name), dir_fd=self._fd), shown)
                file = os.open(encode(name), files.READ_FLAGS | os.O_NOFOLLOW, dir_fd=self._fd)
            except FileNotFoundError:
                return None
            try:
                files.require_regular(os.fstat(file), shown)
                return take(file)
            finally:
                os.close(file)

    def write_temporary(
        self, name: str, data: bytes, attributes: FileAttributes, shown_as: str
    ) -> None:
        """Create the file `name` with content and attributes; it is on the disk when this returns.

        On any error no file is left. `shown_as` is the name in errors: that of the file which this one
        will replace.
        """
        shown = self.shown(shown_as)
        with ErrorsAbout(shown):
            file = os.open(encode(name), _CREATE_FLAGS, 0o600, dir_fd=self._fd)
            try:
                _fill(file, data, attributes, shown)
            except BaseException:
                self.discard(name)
                raise
            finally:
                os.close(file)

    def create(self, name: str, parts: Iterable[bytes], *, sync: bool = False) -> None:
        """Create the private file `name` (mode 0600); `sync` writes its content to the disk."""
        with ErrorsAbout(self.shown(name)):
            descriptor = os.open(encode(name), _CREATE_FLAGS, 0o600, dir_fd=self._fd)
            with os.fdopen(descriptor, "wb", files.CHUNK) as file:
                file.writelines(parts)
                if sync:
                    file.flush()
                    os.fsync(descriptor)

    def replace(self, name: str, data: bytes, prepared: str) -> None:
        """Replace the content of the file `name` atomically, mode 0600; it is on the disk when this returns.

        At any moment the file is completely old or completely new. `prepared` is the name of the new file
        until then; what a crash left of it is removed first.
        """
        self.discard(prepared)
        self.create(prepared, [data], sync=True)
        with ErrorsAbout(self.shown(name)):
            os.rename(encode(prepared), encode(name), src_dir_fd=self._fd, dst_dir_fd=self._fd)
        self.sync()

    def open_file(self, name: str, flags: int) -> int:
        """Open the regular file `name`; if `flags` include O_CREAT, it is created with mode 0600."""
        with ErrorsAbout(self.shown(name)):
            flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(encode(name), flags, 0o600, dir_fd=self._fd)
            try:
                files.require_regular(os.fstat(file), self.shown(name))
            except BaseException:
                os.close(file)
                raise
            return file

    def link(self, name: str, other: str) -> None:
        """Give the file `name` a second name; FileExistsError if `other` exists."""
        try:
            os.link(encode(name), encode(other), src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except FileExistsError:
            raise
        except OSError as error:
            raise file_error(error, self.shown(other)) from error

    def put(self, name: str, prepared: str, expected: FileContent | None) -> None:
        """Rename the file `prepared` to `name`, which replaces the `expected` file (None: no file).

        If the file system can exchange two names atomically (renameat2(2): ext4, XFS, btrfs, tmpfs), the
        displaced file keeps existing under the name `prepared`. It is checked after the exchange, so that
        not even a change at the last moment is lost. Otherwise it is checked immediately before the
        rename, and no longer exists after it. Raises `ChangedError`, with everything as before, if it is
        not as expected.
        """
        with ErrorsAbout(self.shown(name)):
            if expected is None:
                self._put_new(name, prepared)
            else:
                self._put_over(name, prepared, expected)

    def take_away(self, name: str, kept_as: str, expected: FileContent) -> None:
        """Rename the file `name` to `kept_as`; `ChangedError` if it is not as `expected`."""
        with ErrorsAbout(self.shown(name)):
            self._require(name, expected)
            os.rename(encode(name), encode(kept_as), src_dir_fd=self._fd, dst_dir_fd=self._fd)
            if not _same(self.read(kept_as), expected):
                with suppress(FileExistsError):
                    self._rename_new(kept_as, name)
                raise self._changed(name)

    def discard(self, name: str) -> bool:
        """Remove the file `name` if it exists; return whether it did."""
        with ErrorsAbout(self.shown(name)):
            try:
                os.unlink(encode(name), dir_fd=self._fd)
            except FileNotFoundError:
                return False
            return True

    def discard_directory(self, name: str) -> None:
        """Remove the empty directory `name` if it exists."""
        with ErrorsAbout(self.shown(name)), suppress(FileNotFoundError):
            os.rmdir(encode(name), dir_fd=self._fd)

    def rename_directory(self, old: str, new: str) -> None:
        """Rename the directory `old` to `new`; refused if `new` exists and is not empty."""
        with ErrorsAbout(self.shown(new)):
            os.rename(encode(old), encode(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def make(self, name: str, mode: int) -> None:
        """Create the directory `name`, unless it exists; `mode` is independent of the umask."""
        with ErrorsAbout(self.shown(name)):
            try:
                os.mkdir(encode(name), mode, dir_fd=self._fd)
            except FileExistsError:
                return
            made = os.open(encode(name), _DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=self._fd)
            try:
                os.fchmod(made, mode)
            finally:
                os.close(made)

    def sync(self) -> None:
        """Sync all changes of names in this directory to the disk."""
        with ErrorsAbout(self._shown or "/"):
            file = os.open(b".", _DIRECTORY_FLAGS, dir_fd=self._fd)
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def shown(self, name: str) -> str:
        """Return the path of `name` as the user sees it."""
        return f"{self._shown}/{name}"

    def _put_new(self, name: str, prepared: str) -> None:
        try:
            self._rename_new(prepared, name)
        except FileExistsError:
            raise self._changed(name) from None

    def _put_over(self, name: str, prepared: str, expected: FileContent) -> None:
        try:
            exchange(self._fd, encode(prepared), encode(name))
        except FileNotFoundError:
            raise self._changed(name) from None
        except UnavailableError:
            self._require(name, expected)
            os.replace(encode(prepared), encode(name), src_dir_fd=self._fd, dst_dir_fd=self._fd)
            return
        try:
            displaced = self.read(prepared)
        except WrongKindError:
            displaced = None
        except FileError:
            exchange(self._fd, encode(prepared), encode(name))
            raise
        if not _same(displaced, expected):
            exchange(self._fd, encode(prepared), encode(name))
            raise self._changed(name)

    def _rename_new(self, old: str, new: str) -> None:
        try:
            rename_new(self._fd, encode(old), encode(new))
        except UnavailableError:
            os.link(encode(old), encode(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)
            self.discard(old)

    def _require(self, name: str, expected: FileContent) -> None:
        if not _same(self.read(name), expected):
            raise self._changed(name)

    def _changed(self, name: str) -> ChangedError:
        return ChangedError(
            "another program changed the file meanwhile",
            path=self.shown(name),
            hint="review the change, then run the command again",
        )


def _same(found: FileContent | None, expected: FileContent) -> bool:
    return found == expected


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _fill(file: int, data: bytes, attributes: FileAttributes, shown: str) -> None:
    _write_all(file, data)
    try:
        files.give_attributes(file, attributes)
    except files.AttributeRefusedError as error:
        raise AccessError(
            f"cannot set the {visible(error.name)} of a new version of this file",
            path=shown,
            hint="run secboot as a user who may set it",
        ) from error
    os.fsync(file)


class PrivateDirectory:
    """The directory `path` of a root, made by `private_directory`."""

    def __init__(self, path: str, directory: OpenDirectory) -> None:
        self.path = path
        self._directory = directory

    def write(self, name: str, data: bytes) -> str:
        """Write a new file that only its owner can read, and return its path in the root."""
        self._directory.create(name, [data])
        return f"{self.path}/{name}"
