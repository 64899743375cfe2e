"""What a file is: its content, its mode, owner and extended attributes; and a change of it.

A replaced file must look to everybody else as the old one did: the same rights, the same owner,
the same access control list and SELinux label. Times are left out on purpose: a file that was
changed should look changed.
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
"""Bytes: no boot file that a person or a package wrote comes near this size."""

READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Flags that read a regular file and do not block on anything else."""
CHUNK = 1 << 16
"""Bytes. A larger buffer is mapped anew for each read, which takes longer than reading."""

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}

# Digests and signatures of the content itself. The kernel makes them anew, or must find
# them missing rather than wrong (security/integrity/evm/evm_main.c, ima_appraise.c).
_OF_THE_CONTENT = frozenset({"security.ima", "security.evm"})
_NO_XATTRS = frozenset({errno.ENOTSUP, errno.ENOSYS, errno.EPERM})
_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EINVAL})


class FileStat(NamedTuple):
    """What stat(2) says of a file; `size` is in bytes, `modified` in ns since 1970."""

    st_mode: int
    uid: int
    size: int
    device: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        """Return what `status` says."""
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
        """Return them as documents have them: the mode in octal digits, "0644"."""
        from secboot.codec import encode  # noqa: PLC0415 - few who know attributes write documents

        xattrs = {name: encode(value) for name, value in self.xattrs}
        return {"mode": f"{self.mode:04o}", "uid": self.uid, "gid": self.gid, "xattrs": xattrs}

    @classmethod
    def of_document(cls, found: AttributesDocument) -> FileAttributes:
        """Return what `to_document` wrote. Raises ValueError for what no file has."""
        if not re.fullmatch("0?[0-7]{1,4}", found.mode):
            raise ValueError(f"has no mode in octal digits, but {found.mode!r}")
        if not (found.uid in _IDS and found.gid in _IDS):
            raise ValueError("has no user and group, but numbers beyond 32 bits")
        if any("\0" in name for name in found.xattrs):
            raise ValueError("has an extended attribute with a NUL in its name")
        return cls(int(found.mode, 8), found.uid, found.gid, tuple(sorted(found.xattrs.items())))


_IDS = range(2**32 - 1)
"""Of users and groups; the last number of 32 bits stands for none (chown(2))."""


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
    """What one file becomes. None stands for "no such file".

    `path` is how the file is named, `real_path` where its symbolic links lead inside the root
    (`Root.real_path`). `before` is what the change was planned for: anything else on the disk is
    a refusal. `attributes` are for the new file; without them it gets those of the old one, or
    mode 0644 and the caller as owner.
    """

    path: str
    real_path: str
    before: bytes | None
    after: bytes | None
    attributes: FileAttributes | None = None

    def flaw(self) -> str:
        """Say what no change of ours has, but one that somebody wrote."""
        for path in (self.path, self.real_path):
            if not path.startswith("/") or "\0" in path:
                return f"{path!r} is not a path in the root"
        return f"nothing changes in {self.path!r}" if self.before == self.after else ""

    @property
    def digest_before(self) -> str | None:
        """SHA-256 of the content that it was planned for, as hexadecimal text."""
        return None if self.before is None else digest(self.before)

    @property
    def digest_after(self) -> str | None:
        """SHA-256 of the new content, as hexadecimal text."""
        return None if self.after is None else digest(self.after)


def encode(path: str) -> bytes:
    """The bytes of a path or name: UTF-8, with undecodable bytes held by ``surrogateescape``.

    Not the locale's encoding: paths come from boot files, which secboot reads as UTF-8.
    """
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise OSError(errno.ENOENT, "no name holds half of a surrogate pair") from None


def decode(path: bytes) -> str:
    """The text of a path or name; `encode` gives the same bytes again."""
    return path.decode("utf-8", "surrogateescape")


def read_all(file: int, shown: str, limit: int = FILE_LIMIT) -> bytes:
    """Every byte of a file open for reading; `TooLargeError` beyond `limit` bytes."""
    parts = []
    size = 0
    while chunk := os.read(file, min(CHUNK, limit + 1 - size)):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TooLargeError(
                f"the file is larger than {limit} bytes, far more than a file of its kind has",
                path=shown,
                hint="look what it holds; nothing of it was used",
            )
    return b"".join(parts)


def read_content(file: int, shown: str, limit: int = FILE_LIMIT) -> FileContent:
    """The bytes and attributes of a file open for reading."""
    return FileContent(read_all(file, shown, limit), read_attributes(file))


def require_regular(status: os.stat_result, shown: str) -> None:
    """Raise `WrongKindError` for anything but a regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        raise WrongKindError(f"this is {kind}, not a regular file", path=shown)


class AttributeRefusedError(Exception):
    """A file can't be given an attribute. `name` is "owner", "mode", or an xattr's name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_attributes(file: int) -> FileAttributes:
    """The attributes of an open file; of the extended ones those that the caller may read.

    Those that sign or digest the content (IMA, EVM) are left out. Raises OSError.
    """
    status = os.fstat(file)
    return FileAttributes(
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        xattrs=_read_xattrs(file),
    )


def give_attributes(file: int, wanted: FileAttributes) -> None:
    """Make the attributes of an open file, just created, those of `wanted`, and make sure.

    Labels that the system's policy gave and `wanted` does not name stay. Raises OSError, and
    `AttributeRefusedError` when the file can't have them.
    """
    status = os.fstat(file)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        with _refusals_of("owner"):
            os.fchown(file, wanted.uid, wanted.gid)
    _give_xattrs(file, dict(wanted.xattrs))
    # Last: chown clears the set-user-ID bits, and an access control list sets the group's.
    if stat.S_IMODE(os.fstat(file).st_mode) != wanted.mode:
        with _refusals_of("mode"):
            os.fchmod(file, wanted.mode)
    _check(file, wanted)


def _give_xattrs(file: int, wanted: dict[str, bytes]) -> None:
    present = dict(_read_xattrs(file))
    for name in present.keys() - wanted.keys():
        # An access control list that the directory handed down would change the rights.
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
            # Listed, but hidden from this reader, or gone since.
            if error.errno not in {errno.EPERM, errno.EACCES, errno.ENODATA, errno.ENOTSUP}:
                raise
    return tuple(found)
