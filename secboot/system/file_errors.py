"""What the system says about a file, turned into errors that their reader can act on."""

from __future__ import annotations

import errno
import os

from secboot.errors import Location, RefusedError
from secboot.visible import visible


class FileError(RefusedError):
    """Something went wrong with one file. `path` is as the user sees it, `code` an errno or 0."""

    def __init__(self, message: str, *, path: str, code: int = 0, hint: str | None = None) -> None:
        super().__init__(message, location=Location(visible(path)), hint=hint)
        self.path = path
        self.code = code


class NotFoundError(FileError):
    """There is no such file or directory."""


class AccessError(FileError):
    """The rights to do this are missing, or the file system does not allow it at all."""


class WrongKindError(FileError):
    """A directory, device, FIFO or socket stands where a regular file is needed."""


class TooLargeError(FileError):
    """The file is larger than any sensible file of its kind."""


class NoSpaceError(FileError):
    """No space, or no quota, is left on the file system."""


class ChangedError(FileError):
    """The file is not what it was when it was looked at before."""


_MEANINGS: dict[int, tuple[type[FileError], str, str | None]] = {
    errno.ENOENT: (NotFoundError, "there is no such file", None),
    errno.ENOTDIR: (NotFoundError, "a part of this path is not a directory", None),
    errno.EACCES: (AccessError, "permission denied", None),
    errno.EPERM: (AccessError, "this is not permitted", None),
    errno.EROFS: (
        AccessError,
        "the file system is mounted read-only",
        "mount it for writing first: mount -o remount,rw MOUNTPOINT",
    ),
    errno.ENOSPC: (
        NoSpaceError,
        "no space is left on the file system",
        "make room; old kernels are often what fills /boot",
    ),
    errno.EDQUOT: (NoSpaceError, "the disk quota is used up", "make room, or raise the quota"),
    errno.EIO: (
        FileError,
        "the device reports an input/output error",
        "look at the kernel log (dmesg), and at the disk before anything is written to it",
    ),
    errno.ELOOP: (
        FileError,
        "too many symbolic links, or a link where none is allowed",
        "look where the links of this path lead: namei -l PATH",
    ),
    errno.ENAMETOOLONG: (FileError, "the name is too long", None),
    errno.EISDIR: (WrongKindError, "this is a directory", None),
    errno.ENXIO: (WrongKindError, "this is a FIFO, a socket or a device", None),
    errno.EBUSY: (
        FileError,
        "the file is in use, perhaps as a mount point",
        "a file that is itself a mount can't be replaced; unmount it, or edit its source",
    ),
    errno.EAGAIN: (
        FileError,
        "directories or links of this path keep changing",
        "something is working on this tree; try again when it is done",
    ),
}


def file_error(error: OSError, path: str) -> FileError:
    """The `FileError` for what the system reported about `path`."""
    code = error.errno or 0
    kind, message, hint = _MEANINGS.get(code, (FileError, os.strerror(code), None))
    if kind is AccessError and hint is None:
        hint = _rights_hint()
    return kind(message, path=path, code=code, hint=hint)


def _rights_hint() -> str:
    if os.geteuid() != 0:
        return "run secboot as root"
    return (
        "root may be kept from it by an immutable file (lsattr), by SELinux, or because the "
        "file system belongs to another user name space"
    )


class ErrorsAbout:
    """A context that turns each `OSError` raised inside into the `FileError` for `path`.

    Several are entered for each file, so it is no generator, which takes three times as long.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            raise file_error(error, self._path) from error
