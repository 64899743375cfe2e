"""Replays a guest's writes to its disk up to any moment, as a power cut would leave the disk.

QEMU's blklogwrites driver records every write, flush and discard in the form of the kernel's
dm-log-writes target (Documentation/admin-guide/device-mapper/log-writes.rst and
drivers/md/dm-log-writes.c): a super block in the first sector, then for each request one sector
with its description, followed by the data. All numbers are little-endian; sectors, also in the
descriptions, have the size that is in the super block (512 here).
"""

import shutil
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Final

MAGIC: Final = 0x6A736677736872
_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")


class Flag(IntFlag):
    """What a request was in addition to a write of its data (dm-log-writes.c: LOG_*_FLAG)."""

    FLUSH = 1
    FUA = 2
    DISCARD = 4
    MARK = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``length`` bytes at ``offset`` of the disk, their data at ``data_at`` of the log."""

    offset: int
    length: int
    flags: Flag
    data_at: int

    @property
    def writes(self) -> bool:
        """Whether it changes the disk's content with data from the log."""
        return self.length > 0 and not self.flags & (Flag.DISCARD | Flag.MARK)


class WriteLogError(Exception):
    """The file is not a write log, or of an unknown kind."""


@dataclass(frozen=True, slots=True)
class WriteLog:
    """The requests of one run, in the order in which the guest made them."""

    path: Path
    requests: tuple[Request, ...]

    @classmethod
    def read(cls, path: Path) -> "WriteLog":
        """Read a log, without a last request that is truncated because the emulator was killed.

        Only flushes update the count in the super block, so requests after it are read as long as
        they are complete and consecutive; a description of zeroes also ends the log.
        """
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_SUPER.size)
            if len(start) < _SUPER.size:
                raise WriteLogError(f"{path} is too short for a write log")
            magic, version, counted, sector = _SUPER.unpack(start)
            if magic != MAGIC or version != 1:
                raise WriteLogError(f"{path}: magic {magic:#x}, version {version}")
            requests: list[Request] = []
            position = sector
            while position + sector <= size:
                file.seek(position)
                first, sectors, flags, data_length = _ENTRY.unpack(file.read(_ENTRY.size))
                if len(requests) >= counted and not (sectors or flags):
                    break
                request = Request(first * sector, sectors * sector, Flag(flags), position + sector)
                position += sector + data_length_of(request, data_length, sector)
                if position > size:
                    break
                requests.append(request)
        return cls(path, tuple(requests))

    def write_positions(self) -> tuple[int, ...]:
        """The moments after each request that changed the disk, as counts of requests."""
        return tuple(n for n, request in enumerate(self.requests, start=1) if request.writes)

    def last_flush(self, moment: int) -> int:
        """The count of requests that a flush (or FUA) made durable before ``moment``."""
        for number in range(moment, 0, -1):
            if self.requests[number - 1].flags & Flag.FLUSH:
                return number
        return 0

    def unflushed(self, moment: int) -> tuple[int, ...]:
        """Indices of the writes that a disk with a volatile cache may still lose at ``moment``."""
        pending = range(self.last_flush(moment), moment)
        return tuple(
            index
            for index in pending
            if self.requests[index].writes and not self.requests[index].flags & Flag.FUA
        )

    def replay(self, base: Path, target: Path, moment: int, lost: Collection[int] = ()) -> None:
        """Make ``target`` the disk at ``moment``: a copy of ``base`` plus that many requests.

        ``lost`` names requests (by index) that never reached the medium; see `unflushed`.
        """
        shutil.copyfile(base, target)
        with self.path.open("rb") as log, target.open("r+b") as disk:
            for index, request in enumerate(self.requests[:moment]):
                if request.writes and index not in lost:
                    log.seek(request.data_at)
                    disk.seek(request.offset)
                    disk.write(log.read(request.length))

    def __iter__(self) -> Iterator[Request]:
        return iter(self.requests)


def data_length_of(request: Request, data_length: int, sector: int) -> int:
    """Bytes of the log that follow a description: the data, or a mark's text in whole sectors."""
    if request.flags & Flag.MARK:
        return -(-data_length // sector) * sector
    return request.length if request.writes else 0
