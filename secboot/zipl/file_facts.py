"""What zipl's reading needs to know of other files: kernel images, ramdisks, directories."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from secboot.named_tuple import NamedTuple


class PathKind(StrEnum):
    """What is found under a path, symbolic links followed."""

    MISSING = "missing"
    REGULAR = "regular file"
    DIRECTORY = "directory"
    OTHER = "other"
    """A device, socket or the like."""
    UNREADABLE = "unreadable"
    """A regular file that may not be read."""


class FileFacts(NamedTuple):
    """What is known of one path.

    `size` is in bytes. `max_parm_size` is, for a file of at least 0x10438 bytes, the
    big-endian number of eight bytes at 0x10430; there a kernel image says how long its
    parameter line may be, in bytes, and 0 stands for 896 (zipl.h). It is None
    for a shorter file. `modified` is when its content changed last, in nanoseconds since 1970.
    """

    kind: PathKind
    size: int = 0
    max_parm_size: int | None = None
    modified: int = 0

    @property
    def readable(self) -> bool:
        """Whether this is a regular file that can be read here."""
        return self.kind is PathKind.REGULAR

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file, which zipl can read, since it runs as root."""
        return self.kind in {PathKind.REGULAR, PathKind.UNREADABLE}

    @property
    def reason(self) -> str:
        """Why it can't be read as a file, in the words of zipl and libc."""
        match self.kind:
            case PathKind.MISSING:
                return "No such file or directory"
            case PathKind.UNREADABLE:
                return "Permission denied"
            case _:
                return "Not a regular file"


def from_root(path: str) -> str:
    """Return a path as zipl opens it: the programs that run it do so in ``/``.

    kiwi names images relative to the root of the tree, and runs zipl there.
    """
    return path if path.startswith("/") or not path else f"/{path}"


class FileLookup(Protocol):
    """Gives what zipl would find inside the managed root, in whose ``/`` it runs."""

    def look(self, path: str) -> FileFacts:
        """Return what is under `path`. Never raises: what can't be seen is missing."""
        ...

    def read_text(self, path: str) -> str:
        """Return the text of the regular, readable file `path`, decoded like all texts here.

        It is only asked for files that `look` has called readable.
        """
        ...
