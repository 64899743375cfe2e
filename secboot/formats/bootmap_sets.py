"""The sets of tables in a bootmap: one for each way to IPL, from each disk.

ECKD and FBA disks have two since 2.25, for list-directed and for CCW-type IPL. Since 2.39 there
are sets for each base disk of a mirrored /boot; the disks can differ in type and block size
(prepare_bootloader_ipl in zipl/src/bootmap.c; from 2.35 to 2.38 the disks had to be identical
and shared one set). All sets must point to the same data, because it is unknown here which disk
an IPL uses; otherwise the boot record is rejected.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from secboot.formats.bootmap_layout import (
    DiskMap,
    LayoutError,
    ProgramBlocks,
    Region,
    empty_block,
    match_tables,
    part_keys,
    program_blocks,
)
from secboot.formats.bootmap_tables import (
    BLOCK_SIZES,
    MAGIC,
    POINTER_SIZE,
    PROGRAM_TABLE_SIZE,
    BlockReader,
    PointerForm,
    load_addresses,
)
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.bootmap_layout import PartKey
    from secboot.formats.bootmap_tables import Address, DiskPointer

_HEAP_ADDRESS = 0x2000
"""Only sets for SCSI and NVMe disks reserve this area (STAGE3_HEAP_ADDRESS)."""
_HEADS = 15
"""Tracks per cylinder on every ECKD DASD."""
_MOST_SECTORS = 64
"""More than fit on a track: 49 blocks of 512 bytes on a 3390 (recs_per_track in the kernel's
drivers/s390/block/dasd_eckd.c)."""


class TableSet(NamedTuple):
    """Byte offsets of a set's tables in the file: the component tables and the program table."""

    components: tuple[int, ...]
    programs: int


class ReadSet(NamedTuple):
    """A set of tables as read: the programs with their numbers, and the map of its disk."""

    reader: BlockReader
    programs: tuple[tuple[tuple[int, ...], ProgramBlocks], ...]
    disk: DiskMap


def find_sets(data: bytes) -> tuple[TableSet, ...]:
    """Return the sets in file order. Raises LayoutError if the last one is incomplete."""
    found = []
    components: list[int] = []
    for at in range(0, len(data), PROGRAM_TABLE_SIZE):
        start = data[at : at + 2 * POINTER_SIZE]
        if len(start) < 2 * POINTER_SIZE or start[:4] != MAGIC:
            continue
        if start[4] > 1 or any(start[5:POINTER_SIZE]):
            continue
        if any(start[POINTER_SIZE:]):
            found.append(TableSet(tuple(components), at))
            components = []
        else:
            components.append(at)
    if components:
        raise LayoutError("it ends before its program table")
    return tuple(found)


def read_sets(data: bytes, sets: tuple[TableSet, ...], block_size: int) -> tuple[ReadSet, ...]:
    """Read all sets; `block_size` is that of the first disk.

    Raises LayoutError with the reason if that fails; without one if the block size is wrong.
    """
    reader = _SetsReader(data, block_size, _most_disks(data, sets))
    return tuple(map(reader.read, sets))


def _most_disks(data: bytes, sets: tuple[TableSet, ...]) -> int:
    """The most disks that these sets can be for: a disk has one set, an ECKD or FBA disk two."""
    scsi = others = 0
    for each in sets:
        addresses = [
            load_addresses(data[table : table + PROGRAM_TABLE_SIZE]) for table in each.components
        ]
        if any(_HEAP_ADDRESS in own for own in addresses):
            scsi += 1
        else:
            others += 1
    if others % 2 and len(sets) > 1:
        raise LayoutError("a set of tables for one of its disks is missing")
    return scsi + (others + 1) // 2


class _SetsReader:
    """Reads one set after another; each must be consistent with the earlier ones."""

    def __init__(self, data: bytes, block_size: int, most_disks: int) -> None:
        self._data = data
        self._block_size = block_size
        self._most_disks = most_disks
        self._disks: list[DiskMap] = []
        self._seen: list[dict[PartKey, Region]] = []
        self._end = 0

    def read(self, tables: TableSet) -> ReadSet:
        """Read the next set."""
        reasons = []
        for reader, disk in self._readers(tables):
            pointers = reader.program_table(tables.programs // reader.block_size)
            if pointers is None:
                continue
            try:
                found = self._read_as(reader, disk, tables, pointers)
            except LayoutError as error:
                reasons.append(error)
            else:
                self._note(found, tables)
                return found
        # A pointer to a single block in the older ECKD form can look like one in the newer form.
        if reasons:
            raise reasons[0]
        raise LayoutError("its program table is damaged" if self._disks else "")

    def _readers(self, tables: TableSet) -> Iterator[tuple[BlockReader, DiskMap]]:
        """Yield every way to read a set: for the previous set's disk, or as the first of another."""
        disks = self._disks[-1:]
        if len(self._disks) < self._most_disks:
            sizes = BLOCK_SIZES if disks else (self._block_size,)
            disks += [DiskMap(size) for size in sizes]
        for disk in disks:
            if not any(at % disk.block_size for at in (*tables.components, tables.programs)):
                for form in PointerForm:
                    yield BlockReader(self._data, disk.block_size, form), disk

    def _read_as(
        self,
        reader: BlockReader,
        disk: DiskMap,
        tables: TableSet,
        pointers: tuple[DiskPointer | None, ...],
    ) -> ReadSet:
        blocks = tuple(at // reader.block_size for at in tables.components)
        if self._seen and len(blocks) != len(self._seen):
            raise LayoutError("its sets of tables do not have the same programs")
        is_new = not disk.addresses
        programs = []
        starts = self._starts(reader)
        for number, table in enumerate(blocks):
            seen = self._seen[number] if self._seen else None
            program, disk = program_blocks(reader, table, starts, disk, seen)
            programs.append(program)
            starts = range(table + 1, table + 2)
        if not self._seen and programs:
            self._require_empty(reader, programs[0].start)
        if is_new and self._disks:
            _require_same_blocks(self._disks[0], disk)
        numbers = _numbers(pointers, match_tables(blocks, _wanted(pointers), disk))
        return ReadSet(reader, tuple((numbers[p.table], p) for p in programs), disk)

    def _starts(self, reader: BlockReader) -> range:
        """The blocks where the first program of a set can start."""
        if self._disks:
            # Loaders for other ways to IPL may come before it.
            return range(-(-self._end // reader.block_size), reader.count)
        first = empty_block(reader) + 1
        return range(first, first + self._most_disks)

    def _require_empty(self, reader: BlockReader, start: int) -> None:
        if any(map(any, map(reader.block, range(empty_block(reader), start)))):
            raise LayoutError("a block that stands for holes in files is not empty")

    def _note(self, found: ReadSet, tables: TableSet) -> None:
        """Record what the later sets must be consistent with."""
        size = found.reader.block_size
        self._end = tables.programs + PROGRAM_TABLE_SIZE
        if self._disks and self._disks[-1].addresses.items() <= found.disk.addresses.items():
            self._disks.pop()
        self._disks.append(found.disk)
        self._seen = self._seen or [{} for _ in found.programs]
        for seen, (_, program) in zip(self._seen, found.programs, strict=True):
            keys = part_keys(tuple(part.component for part in program.parts))
            for key, part in zip(keys, program.parts, strict=True):
                start = None if part.data_start is None else part.data_start * size
                seen.setdefault(key, Region(start, part.table.data_count, size))


def _wanted(pointers: tuple[DiskPointer | None, ...]) -> frozenset[Address]:
    return frozenset(pointer.address for pointer in pointers if pointer is not None)


def _numbers(
    pointers: tuple[DiskPointer | None, ...], places: dict[Address, int]
) -> dict[int, tuple[int, ...]]:
    """The numbers of each component table in the program table."""
    numbers: dict[int, tuple[int, ...]] = {}
    for number, pointer in enumerate(pointers):
        if pointer is not None:
            table = places[pointer.address]
            numbers[table] = (*numbers.get(table, ()), number)
    return numbers


def _require_same_blocks(first: DiskMap, other: DiskMap) -> None:
    """Raise LayoutError unless all blocks of the file are the same distance apart on both disks.

    The disks of a mirror hold the same blocks, each disk at its own offset. The number of sectors
    per track of an ECKD disk is not in the file; with the right number, the distances agree.
    """
    seen: dict[int, int] = {}
    for disk in (first, other):
        for *track, sector in disk.blocks:
            if track:
                seen[disk.block_size] = max(sector, seen.get(disk.block_size, 0))
    lengths = product(*(range(largest, _MOST_SECTORS + 1) for largest in seen.values()))
    if not any(
        _equally_apart(first, other, dict(zip(seen, each, strict=True))) for each in lengths
    ):
        raise LayoutError("its tables for several disks do not point to the same blocks")


def _equally_apart(first: DiskMap, other: DiskMap, sectors: dict[int, int]) -> bool:
    """Whether they are, given the number of sectors per track for each block size."""
    distances = set()
    for block, address in other.addresses.items():
        at, inside = divmod(block * other.block_size, first.block_size)
        if at in first.addresses:
            here = _position(address, other.block_size, sectors)
            there = _position(first.addresses[at], first.block_size, sectors)
            distances.add(here - there - inside)
    return len(distances) <= 1


def _position(address: Address, block_size: int, sectors: dict[int, int]) -> int:
    """The byte offset of a block on its disk."""
    if len(address) == 1:
        return address[0] * block_size
    cylinder, head, sector = address
    return ((cylinder * _HEADS + head) * sectors[block_size] + sector - 1) * block_size
