"""Errors of the operating system about a file, as messages that the user can act on."""

from __future__ import annotations

import errno
import os

from secboot.errors import Location, RefusedError
from secboot.visible import visible


class FileError(RefusedError):
    """An error about one file. `path` is as the user sees it, `code` is an errno or 0."""

    def __init__(self, message: str, *, path: str, code: int = 0, hint: str | None = None) -> None:
        super().__init__(message, location=Location(visible(path)), hint=hint)
        self.path = path
        self.code = code


class NotFoundError(FileError):
    """The file or directory does not exist."""


class AccessError(FileError):
    """The permission is missing, or the file system does not allow it at all."""


class WrongKindError(FileError):
    """A directory, device, FIFO or socket instead of a regular file."""


class TooLargeError(FileError):
    """The file is larger than any sensible file of its kind."""


class NoSpaceError(FileError):
    """No space, or no quota, is left on the file system."""


class ChangedError(FileError):
    """The file has changed since it was last read."""


_MEANINGS: dict[int, tuple[type[FileError], str, str | None]] = {
    errno.ENOENT: (NotFoundError, "not found", None),
    errno.ENOTDIR: (NotFoundError, "not found: a part of this path is not a directory", None),
    errno.EACCES: (AccessError, "permission denied", None),
    errno.EPERM: (AccessError, "operation not permitted", None),
    errno.EROFS: (
        AccessError,
        "the file system is mounted read-only",
        "mount it read-write first: mount -o remount,rw MOUNTPOINT",
    ),
    errno.ENOSPC: (
        NoSpaceError,
        "no space left on the file system",
        "free some space; old kernels often fill /boot",
    ),
    errno.EDQUOT: (NoSpaceError, "disk quota exceeded", "free some space, or raise the quota"),
    errno.EIO: (
        FileError,
        "input/output error of the device",
        "check the kernel log (dmesg), and the disk before anything is written to it",
    ),
    errno.ELOOP: (
        FileError,
        "too many symbolic links, or a symbolic link where none is allowed",
        "check where the links of this path lead: namei -l PATH",
    ),
    errno.ENAMETOOLONG: (FileError, "the name is too long", None),
    errno.EISDIR: (WrongKindError, "this is a directory", None),
    errno.ENXIO: (WrongKindError, "this is a FIFO, a socket or a device", None),
    errno.EBUSY: (
        FileError,
        "the file is in use, perhaps as a mount point",
        "a file that is a mount point cannot be replaced: unmount it, or edit its source",
    ),
    errno.EAGAIN: (
        FileError,
        "directories or symbolic links of this path keep changing",
        "another program is changing this tree; try again when it has finished",
    ),
}


def file_error(error: OSError, path: str) -> FileError:
    """Return the `FileError` for an error of the operating system about `path`."""
    code = error.errno or 0
    kind, message, hint = _MEANINGS.get(code, (FileError, os.strerror(code), None))
    if kind is AccessError and hint is None:
        hint = _rights_hint()
    return kind(message, path=path, code=code, hint=hint)


def _rights_hint() -> str:
    if os.geteuid() != 0:
        return "run secboot as root"
    return (
        "even root can be blocked by an immutable flag (lsattr), SELinux, or a file system that "
        "belongs to another user namespace"
    )


class ErrorsAbout:
    """A context that turns each `OSError` raised inside into the `FileError` for `path`.

    Several are entered for each file, so it is not a generator, which would take three times as long.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            raise file_error(error, self._path) from error
