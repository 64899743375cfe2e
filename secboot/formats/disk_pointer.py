"""Pointers to disk blocks as zipl writes them for the loaders that follow them.

Three forms, 16 bytes each, big-endian (zipl/include/boot.h; written by bootmap_store_blockptr in
zipl/src/bootmap.c): linear block numbers for SCSI, NVMe and FBA disks, and two forms of cylinder,
head and sector for ECKD DASD, the older for CCW-type IPL, the newer (2.25 on) for list-directed
IPL. Sixteen zero bytes are no pointer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

POINTER_SIZE = 16
BLOCK_SIZES = (512, 1024, 2048, 4096)
"""The physical block sizes that zipl can work with (MAXIMUM_PHYSICAL_BLOCKSIZE in zipl.h)."""

Address = tuple[int, ...]
"""A block on a disk: ``(number,)`` or ``(cylinder, head, sector)``, sectors counted from 1."""

_NO_POINTER = bytes(POINTER_SIZE)


class PointerForm(StrEnum):
    """How a block is named."""

    LINEAR = "linear"
    ECKD = "ECKD"
    ECKD_LIST_DIRECTED = "ECKD, list-directed IPL"


@dataclass(frozen=True, slots=True)
class DiskPointer:
    """A run of `count` consecutive blocks from `address` on."""

    address: Address
    count: int

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Each block of the run. A run on ECKD never leaves its track (can_merge_blocks)."""
        *outer, first = self.address
        return tuple((*outer, first + number) for number in range(self.count))


def read_pointer(data: bytes, form: PointerForm, block_size: int) -> DiskPointer | None:
    """Read 16 bytes; None for no pointer. ValueError when they are no pointer of that form."""
    if data == _NO_POINTER:
        return None
    if form is PointerForm.LINEAR:
        number, size, more, rest = struct.unpack(">QHH4s", data)
        address: Address = (number,)
        valid = size == block_size and number > 0 and not any(rest)
    elif form is PointerForm.ECKD:
        cylinder, head, sector, size, more, rest = struct.unpack(">HHBHB8s", data)
        # Cylinders above 65535 have their upper bits in the head.
        address = (cylinder | (head & 0xFFF0) << 12, head & 0xF, sector)
        valid = size == block_size and sector > 0 and not any(rest)
    else:
        cylinder, head, sector, gap, more, rest = struct.unpack(">LBB4sH4s", data)
        address = (cylinder, head, sector)
        valid = sector > 0 and not any(gap) and not any(rest)
    if not valid:
        raise ValueError(f"no {form} pointer to blocks of {block_size} bytes")
    return DiskPointer(address, more + 1)


def successors(address: Address) -> frozenset[Address]:
    """Where the block after this one can be; on ECKD that depends on the disk's geometry."""
    if len(address) == 1:
        return frozenset({(address[0] + 1,)})
    cylinder, head, sector = address
    return frozenset({(cylinder, head, sector + 1), (cylinder, head + 1, 1), (cylinder + 1, 0, 1)})
