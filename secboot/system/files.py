"""A file: its content, mode, owner and extended attributes; and a change of it.

A replaced file must look the same as the old one to everybody else: the same permissions, owner, access
control list and SELinux label. Times are deliberately not kept: a file that was changed should look
changed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import TooLargeError, WrongKindError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_LIMIT = 16 * 2**20
"""In bytes: no boot file that a person or a package wrote is nearly as large."""

READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Flags that read a regular file and do not block on anything else."""
CHUNK = 1 << 16
"""In bytes. A larger buffer is mapped again for each read, which takes longer than reading."""

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}

# Digests and signatures of the content itself. The kernel makes them again, or must find them missing
# instead of wrong (security/integrity/evm/evm_main.c, ima_appraise.c).
_OF_THE_CONTENT = frozenset({"security.ima", "security.evm"})
_NO_XATTRS = frozenset({errno.ENOTSUP, errno.ENOSYS, errno.EPERM})
_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EINVAL})


class FileStat(NamedTuple):
    """The result of stat(2); `size` is in bytes, `modified` in ns since 1970."""

    st_mode: int
    uid: int
    size: int
    device: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        """Return the same from the result of `os.stat`."""
        return cls(status.st_mode, status.st_uid, status.st_size, status.st_dev, status.st_mtime_ns)

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.st_mode)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.st_mode)

    @property
    def mode(self) -> int:
        """The permission bits, as in 0o644."""
        return stat.S_IMODE(self.st_mode)


class FileAttributes(NamedTuple):
    """Mode (permission bits only, as in 0o644), owner, and extended attributes by name."""

    mode: int
    uid: int
    gid: int
    xattrs: tuple[tuple[str, bytes], ...] = ()

    def to_document(self) -> dict[str, object]:
        """Return them for a document, with the mode in octal digits ("0644")."""
        from secboot.codec import encode  # noqa: PLC0415 - few users of attributes write documents

        xattrs = {name: encode(value) for name, value in self.xattrs}
        return {"mode": f"{self.mode:04o}", "uid": self.uid, "gid": self.gid, "xattrs": xattrs}

    @classmethod
    def of_document(cls, found: AttributesDocument) -> FileAttributes:
        """Return what `to_document` wrote. Raises ValueError for attributes that no file can have."""
        if not re.fullmatch("0?[0-7]{1,4}", found.mode):
            raise ValueError(f"must have a mode in octal digits, not {found.mode!r}")
        if not (found.uid in _IDS and found.gid in _IDS):
            raise ValueError("has a user or group ID that does not fit in 32 bits")
        if any("\0" in name for name in found.xattrs):
            raise ValueError("has an extended attribute with a NUL in its name")
        return cls(int(found.mode, 8), found.uid, found.gid, tuple(sorted(found.xattrs.items())))


_IDS = range(2**32 - 1)
"""Of user and group IDs; the last number of 32 bits means "none" (chown(2))."""


class AttributesDocument(NamedTuple):
    """The form of `FileAttributes` in documents."""

    mode: str
    uid: int
    gid: int
    xattrs: Mapping[str, bytes]


class FileContent(NamedTuple):
    """A regular file as it was read: its bytes and its attributes."""

    data: bytes
    attributes: FileAttributes

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the bytes in hexadecimal."""
        return digest(self.data)


class FileChange(NamedTuple):
    """A change of one file. None stands for "no such file".

    `path` is the name of the file, `real_path` where its symbolic links lead inside the root
    (`Root.real_path`). `before` is the content for which the change was planned: any other content on the
    disk is a refusal. `attributes` are for the new file; without them it gets those of the old one, or
    mode 0644 and the caller as owner.
    """

    path: str
    real_path: str
    before: bytes | None
    after: bytes | None
    attributes: FileAttributes | None = None

    def flaw(self) -> str:
        """Return what no change that secboot plans has; empty if there is nothing."""
        for path in (self.path, self.real_path):
            if not path.startswith("/") or "\0" in path:
                return f"{path!r} is not a path in the root"
        return f"nothing changes in {self.path!r}" if self.before == self.after else ""

    @property
    def digest_before(self) -> str | None:
        """SHA-256 digest of the content for which it was planned, in hexadecimal."""
        return None if self.before is None else digest(self.before)

    @property
    def digest_after(self) -> str | None:
        """SHA-256 digest of the new content, in hexadecimal."""
        return None if self.after is None else digest(self.after)


def encode(path: str) -> bytes:
    """Return the bytes of a path or name: UTF-8, with undecodable bytes as ``surrogateescape``.

    This is not the encoding of the locale: paths come from boot files, which secboot reads as UTF-8.
    """
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise OSError(errno.ENOENT, "a name contains half of a surrogate pair") from None


def decode(path: bytes) -> str:
    """Return the string for a path or name; `encode` returns the same bytes again."""
    return path.decode("utf-8", "surrogateescape")


def read_all(file: int, shown: str, limit: int = FILE_LIMIT) -> bytes:
    """Return all bytes of a file open for reading; `TooLargeError` if it has more than `limit`."""
    parts = []
    size = 0
    while chunk := os.read(file, min(CHUNK, limit + 1 - size)):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TooLargeError(
                f"the file is larger than {limit} bytes, far more than such a file can need",
                path=shown,
                hint="inspect the file; nothing was read from it",
            )
    return b"".join(parts)


def read_content(file: int, shown: str, limit: int = FILE_LIMIT) -> FileContent:
    """Return the bytes and attributes of a file open for reading."""
    return FileContent(read_all(file, shown, limit), read_attributes(file))


def require_regular(status: os.stat_result, shown: str) -> None:
    """Raise `WrongKindError` for anything but a regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        raise WrongKindError(f"this is {kind}, not a regular file", path=shown)


class AttributeRefusedError(Exception):
    """An attribute of a file cannot be set. `name` is "owner", "mode", or that of an xattr."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_attributes(file: int) -> FileAttributes:
    """Return the attributes of an open file, with the extended attributes that the caller may read.

    Attributes that sign or digest the content (IMA, EVM) are omitted. Raises OSError.
    """
    status = os.fstat(file)
    return FileAttributes(
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        xattrs=_read_xattrs(file),
    )


def give_attributes(file: int, wanted: FileAttributes) -> None:
    """Set the attributes of an open file, just created, to those of `wanted`, and verify them.

    Labels from the system's policy that are not in `wanted` stay. Raises OSError, and
    `AttributeRefusedError` if the file cannot have the attributes.
    """
    status = os.fstat(file)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        with _refusals_of("owner"):
            os.fchown(file, wanted.uid, wanted.gid)
    _give_xattrs(file, dict(wanted.xattrs))
    # Last: chown clears the set-user-ID bits, and an access control list sets the group bits.
    if stat.S_IMODE(os.fstat(file).st_mode) != wanted.mode:
        with _refusals_of("mode"):
            os.fchmod(file, wanted.mode)
    _check(file, wanted)


def _give_xattrs(file: int, wanted: dict[str, bytes]) -> None:
    present = dict(_read_xattrs(file))
    for name in present.keys() - wanted.keys():
        # A default access control list of the directory would change the permissions.
        if not name.startswith("security."):
            with _refusals_of(name):
                os.removexattr(file, name)
    for name, value in wanted.items():
        if present.get(name) != value:
            with _refusals_of(name):
                os.setxattr(file, name, value)


def _check(file: int, wanted: FileAttributes) -> None:
    status = os.fstat(file)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        raise AttributeRefusedError("owner")
    if stat.S_IMODE(status.st_mode) != wanted.mode:
        raise AttributeRefusedError("mode")
    present = dict(_read_xattrs(file)) if wanted.xattrs else {}
    for name, value in wanted.xattrs:
        if present.get(name) != value:
            raise AttributeRefusedError(name)


@contextmanager
def _refusals_of(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSALS:
            raise AttributeRefusedError(name) from error
        raise


def _read_xattrs(file: int) -> tuple[tuple[str, bytes], ...]:
    try:
        names = sorted(os.listxattr(file))
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise
    found = []
    for name in names:
        if name in _OF_THE_CONTENT:
            continue
        try:
            found.append((name, os.getxattr(file, name)))
        except OSError as error:
            # Listed, but hidden from this reader, or removed since.
            if error.errno not in {errno.EPERM, errno.EACCES, errno.ENODATA, errno.ENOTSUP}:
                raise
    return tuple(found)
