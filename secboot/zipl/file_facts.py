"""What the model of zipl needs to know about other files: kernels, ramdisks, directories."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from secboot.named_tuple import NamedTuple


class PathKind(StrEnum):
    """What a path refers to, after symbolic links."""

    MISSING = "missing"
    REGULAR = "regular file"
    DIRECTORY = "directory"
    OTHER = "other"
    """A device, a socket or similar."""
    UNREADABLE = "unreadable"
    """A regular file without read permission."""


class FileFacts(NamedTuple):
    """What is known about one path.

    `size` is in bytes. `max_parm_size` is the eight-byte big-endian number at offset 0x10430,
    where a kernel image specifies its maximum parameter line in bytes; 0 means 896 (zipl.h). It
    is None for a file shorter than 0x10438 bytes. `modified` is when the content last changed, in
    nanoseconds since 1970.
    """

    kind: PathKind
    size: int = 0
    max_parm_size: int | None = None
    modified: int = 0

    @property
    def readable(self) -> bool:
        """Whether this is a regular file that secboot can read."""
        return self.kind is PathKind.REGULAR

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file; zipl can read it, since it runs as root."""
        return self.kind in {PathKind.REGULAR, PathKind.UNREADABLE}

    @property
    def reason(self) -> str:
        """Why it can't be read as a file, worded as zipl and libc do."""
        match self.kind:
            case PathKind.MISSING:
                return "No such file or directory"
            case PathKind.UNREADABLE:
                return "Permission denied"
            case _:
                return "Not a regular file"


def from_root(path: str) -> str:
    """Return a path as zipl opens it: the programs that run zipl do so in ``/``.

    kiwi writes image paths relative to the root of the tree, and runs zipl there.
    """
    return path if path.startswith("/") or not path else f"/{path}"


class FileLookup(Protocol):
    """Looks up what zipl would find in the managed root, where it runs in ``/``."""

    def look(self, path: str) -> FileFacts:
        """Return the facts about `path`. Never raises: a path that can't be accessed is missing."""
        ...

    def read_text(self, path: str) -> str:
        """Return the text of the regular, readable file `path`, decoded like all text here.

        Only called for files that are readable according to `look`.
        """
        ...
