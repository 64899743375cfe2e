"""The tar archives of a checkpoint, which a person can unpack without secboot.

Members are named by their paths without the leading slash, so that unpacking at the root of the tree
puts every file back in its place, with its mode and owner. Only the record has extended attributes.
"""

from __future__ import annotations

from io import BytesIO
from tarfile import BLOCKSIZE, GNU_FORMAT, TarError, TarFile, TarInfo
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.files import FileAttributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Paths are bytes, and need not be UTF-8, as everywhere in secboot (`secboot.system.files.encode`).
_ENCODING, _ERRORS = "utf-8", "surrogateescape"


class Member(NamedTuple):
    """A file of an archive: its real path in the tree, its bytes, and its attributes."""

    path: str
    data: bytes
    attributes: FileAttributes


def pack(members: Iterable[Member], modified: int) -> Iterator[bytes]:
    """Return the parts of an archive in order; `modified` is the time of all files, in seconds since 1970."""
    for member in members:
        info = TarInfo(member.path.removeprefix("/"))
        info.size, info.mtime = len(member.data), modified
        info.mode, info.uid, info.gid = member.attributes[:3]
        yield info.tobuf(GNU_FORMAT, _ENCODING, _ERRORS)
        yield member.data
        yield bytes(-len(member.data) % BLOCKSIZE)
    yield bytes(2 * BLOCKSIZE)


def members(archive: bytes) -> tuple[Member, ...] | None:
    """Return the members of an archive that holds only plain files; None for any other archive.

    They have no extended attributes.
    """
    found = []
    try:
        with TarFile(fileobj=BytesIO(archive), encoding=_ENCODING, errors=_ERRORS) as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isreg() else None
                if content is None:
                    return None
                attributes = FileAttributes(info.mode, info.uid, info.gid, ())
                found.append(Member(f"/{info.name}", content.read(), attributes))
    except (TarError, ValueError, OverflowError):
        return None
    return tuple(found)


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive by their paths; of a damaged archive, those that are complete.

    The caller must check the bytes by their digests.
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
