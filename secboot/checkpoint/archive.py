"""The bytes of several files in one: a tar archive, which a person can unpack without secboot.

One file instead of many, because each would have to be brought to the disk by itself. Members are
named by their paths without the slash at the front, so that unpacking at the root of the tree puts
every file where it was, with its mode and its owner. Extended attributes are in the record alone.
"""

from __future__ import annotations

from io import BytesIO
from tarfile import BLOCKSIZE, GNU_FORMAT, TarError, TarFile, TarInfo
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.system.files import FileAttributes

ARCHIVE_LIMIT = 2**30
"""Bytes: far more than ten thousand boot entries take."""

# Paths are bytes that need not be text, as everywhere in secboot (`secboot.system.files.encode`).
_ENCODING, _ERRORS = "utf-8", "surrogateescape"


class Member(NamedTuple):
    """A file for an archive: its real path in the tree, its bytes, and its attributes."""

    path: str
    data: bytes
    attributes: FileAttributes


def pack(members: Iterable[Member], modified: int) -> Iterator[bytes]:
    """Return the parts of an archive in order; `modified` is the time of all files, in s since 1970."""
    for member in members:
        info = TarInfo(member.path.removeprefix("/"))
        info.size, info.mtime = len(member.data), modified
        info.mode, info.uid, info.gid = member.attributes[:3]
        yield info.tobuf(GNU_FORMAT, _ENCODING, _ERRORS)
        yield member.data
        yield bytes(-len(member.data) % BLOCKSIZE)
    yield bytes(2 * BLOCKSIZE)


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return what files an archive has, by their paths; of a damaged one those that are whole.

    Whether the bytes are right is for the caller to check, by their digests.
    """
    found = {}
    try:
        with TarFile(
            fileobj=BytesIO(archive), ignore_zeros=True, encoding=_ENCODING, errors=_ERRORS
        ) as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isreg() else None
                if content is not None:
                    found[f"/{info.name}"] = content.read()
    except (TarError, ValueError, OverflowError):
        pass
    return found
