"""The tables in a bootmap, and their pointers to disk blocks.

A program table has one pointer for each program that can be IPLed, the default first; a component
table names the parts of one of them with their load addresses; a segment table lists the disk
blocks of one part (zipl/src/bootmap.c: add_program_table, create_component_entry,
add_segment_table).

Pointers have three forms, 16 bytes each, big-endian (zipl/include/boot.h; written by
bootmap_store_blockptr in zipl/src/bootmap.c): linear block numbers for SCSI, NVMe and FBA disks,
and two forms of cylinder, head and sector for ECKD DASD: the older one for CCW-type IPL, the newer
one (since 2.25) for list-directed IPL. Sixteen zero bytes mean "no pointer".
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum

from secboot.named_tuple import NamedTuple

POINTER_SIZE = 16
BLOCK_SIZES = (512, 1024, 2048, 4096)
"""The physical block sizes that zipl supports (MAXIMUM_PHYSICAL_BLOCKSIZE in zipl.h)."""

Address = tuple[int, ...]
"""A block on a disk: ``(number,)`` or ``(cylinder, head, sector)``. Sectors count from 1."""

_NO_POINTER = bytes(POINTER_SIZE)


class PointerForm(StrEnum):
    """How a block is named."""

    LINEAR = "linear"
    ECKD = "ECKD"
    ECKD_LIST_DIRECTED = "ECKD, list-directed IPL"


class DiskPointer(NamedTuple):
    """A run of `length` consecutive blocks that starts at `address`."""

    address: Address
    length: int

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Each block of the run. A run on ECKD never leaves its track (can_merge_blocks)."""
        *outer, first = self.address
        return tuple((*outer, first + number) for number in range(self.length))


def read_pointer(data: bytes, form: PointerForm, block_size: int) -> DiskPointer | None:
    """Read 16 bytes; None means "no pointer". Raises ValueError if they are not of that form."""
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
        raise ValueError(f"not a pointer ({form}) to blocks of {block_size} bytes")
    return DiskPointer(address, more + 1)


def successors(address: Address) -> frozenset[Address]:
    """Where the next block can be; on ECKD this depends on the geometry of the disk."""
    if len(address) == 1:
        return frozenset({(address[0] + 1,)})
    cylinder, head, sector = address
    return frozenset({(cylinder, head, sector + 1), (cylinder, head + 1, 1), (cylinder + 1, 0, 1)})


MAGIC = b"zIPL"
HEADER = b"zSeries bootmap file\ncreated by zIPL\n"
"""The start of a bootmap since 2.17 (bootmap_header_init); older ones have no header."""
_ENVIRONMENT_OFFSET = slice(56, 64)
PROGRAM_TABLE_SIZE = 512
"""In bytes, for every block size (PROGRAM_TABLE_BLOCK_SIZE)."""
_ENTRY_SIZE = 32
_TYPE_OFFSET = 23


class ComponentType(IntEnum):
    """The type of an entry in a component table (component_type)."""

    EXECUTE = 1
    LOAD = 2
    SIGNATURE = 3


class Component(NamedTuple):
    """One part of a program; `load_address` is only meaningful for LOAD.

    `segments` points to the block where its segment table starts.
    """

    type: ComponentType
    segments: DiskPointer
    load_address: int


def load_addresses(table: bytes) -> frozenset[int]:
    """All load addresses in a component table; their offset is the same for every pointer form."""
    entries = (table[at : at + _ENTRY_SIZE] for at in range(_ENTRY_SIZE, len(table), _ENTRY_SIZE))
    return frozenset(
        int.from_bytes(entry[_TYPE_OFFSET + 1 :], "big")
        for entry in entries
        if entry[_TYPE_OFFSET : _TYPE_OFFSET + 1] == bytes([ComponentType.LOAD])
    )


class SegmentTable(NamedTuple):
    """The blocks of one part. `start` is the first block of the table itself, in the file.

    `own` are the disk blocks of the table itself, in file order.
    """

    start: int
    own: tuple[DiskPointer, ...]
    data: tuple[DiskPointer, ...]

    @property
    def data_count(self) -> int:
        """The number of blocks of the part."""
        return sum(pointer.length for pointer in self.data)


class BlockReader:
    """The blocks of a bootmap, and the form of its pointers."""

    def __init__(self, data: bytes, block_size: int, form: PointerForm) -> None:
        self.data = data
        self.block_size = block_size
        self.form = form

    @property
    def count(self) -> int:
        """The number of blocks; the last one can be short."""
        return -(-len(self.data) // self.block_size)

    @property
    def has_header(self) -> bool:
        """Whether the file starts with a header."""
        return self.data.startswith(HEADER)

    @property
    def environment_offset(self) -> int:
        """The byte offset of the environment block in the file; 0 if there is none."""
        return int.from_bytes(self.data[_ENVIRONMENT_OFFSET], "big") if self.has_header else 0

    def block(self, number: int) -> bytes:
        """One block, padded with zeroes."""
        start = number * self.block_size
        return self.data[start : start + self.block_size].ljust(self.block_size, b"\0")

    def blocks(self, numbers: tuple[int, ...]) -> bytes:
        """Several blocks, joined."""
        return b"".join(map(self.block, numbers))

    def pointers(self, data: bytes) -> tuple[DiskPointer | None, ...]:
        """Read all pointers in `data`. Raises ValueError if one is not of this form."""
        return tuple(
            read_pointer(data[at : at + POINTER_SIZE], self.form, self.block_size)
            for at in range(0, len(data), POINTER_SIZE)
        )

    def component_table(self, number: int) -> tuple[Component, ...] | None:
        """The parts that this block names, or None if it is not a component table."""
        block = self.block(number)
        if block[:4] != MAGIC or block[4] > 1 or any(block[5:_ENTRY_SIZE]):
            return None
        found: list[Component] = []
        for at in range(_ENTRY_SIZE, len(block), _ENTRY_SIZE):
            entry = block[at : at + _ENTRY_SIZE]
            if entry[_TYPE_OFFSET] == ComponentType.EXECUTE:
                return tuple(found) if found and not any(block[at + _ENTRY_SIZE :]) else None
            component = self._component(entry)
            if component is None:
                return None
            found.append(component)
        return None

    def _component(self, entry: bytes) -> Component | None:
        try:
            kind = ComponentType(entry[_TYPE_OFFSET])
            pointer = read_pointer(entry[:POINTER_SIZE], self.form, self.block_size)
        except ValueError:
            return None
        if pointer is None or pointer.length != 1 or any(entry[POINTER_SIZE:_TYPE_OFFSET]):
            return None
        return Component(kind, pointer, int.from_bytes(entry[_TYPE_OFFSET + 1 :], "big"))

    def program_table(self, number: int) -> tuple[DiskPointer | None, ...] | None:
        """The pointers of this block, the default first; None if it is not a program table."""
        block = self.block(number)[:PROGRAM_TABLE_SIZE]
        if block[:4] != MAGIC or any(block[4:POINTER_SIZE]):
            return None
        try:
            pointers = self.pointers(block[POINTER_SIZE:])
        except ValueError:
            return None
        if pointers[0] is None or any(p is not None and p.length != 1 for p in pointers):
            return None
        return pointers

    def segment_table(self, last: int, at: DiskPointer) -> SegmentTable | None:
        """The segment table that ends with block `last` of the file, or None if there is none.

        A long table is a chain of blocks, written from its end: the block that `at` points to
        is the last one in the file, and each next block in the chain comes before it.
        """
        own: list[DiskPointer] = []
        data: list[DiskPointer] = []
        number, pointer = last, at
        while number >= 0:
            read = self._segment_block(number)
            if read is None:
                return None
            own.insert(0, pointer)
            data += read[0]
            if read[1] is None:
                return SegmentTable(number, tuple(own), tuple(data))
            number, pointer = number - 1, read[1]
        return None

    def _segment_block(self, number: int) -> tuple[list[DiskPointer], DiskPointer | None] | None:
        """The data pointers in one block of a segment table, and the pointer to the next block."""
        try:
            *slots, following = self.pointers(self.block(number))
        except ValueError:
            return None
        data = [slot for slot in slots if slot is not None]
        if not data or any(slots[len(data) :]):
            return None
        full = len(data) == len(slots)
        if following is not None and (not full or following.length != 1):
            return None
        return data, following
