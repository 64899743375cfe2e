"""Where each block of a bootmap is on the disk, derived from the bootmap alone.

All pointers in a bootmap name disk blocks, since a loader does not know files. But zipl always
writes the file in the same order: for each program, for each of its parts, first the part's data
(unless it is in a separate file, like the kernel and the ramdisk), then its segment table, and at
the end the component table (add_ipl_program in zipl/src/bootmap.c). Reading backwards from a
component table therefore assigns each block its position in the file and its address on the disk.
Every block must be accounted for, with exactly one address; this also reveals a damaged bootmap.

Data is written once. Further tables, for another way to IPL or another disk, point to it again,
part by part; data that no earlier program uses comes before its own table, as in the first set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.bootmap_tables import Address, successors
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.formats.bootmap_tables import BlockReader, Component, SegmentTable

PartKey = tuple[int, int, int]

_LIMIT = 64
"""If one program can be read in more ways than this, the file is not a bootmap."""


class LayoutError(ValueError):
    """The blocks are not laid out as zipl writes them; the message says what is wrong."""


class Placed(NamedTuple):
    """A part of a program: its segment table, and where its data starts in the file.

    `data_start` is None for data stored elsewhere: in another file, or earlier in this one.
    """

    component: Component
    table: SegmentTable
    data_start: int | None


class Region(NamedTuple):
    """Where an earlier set has the data of a part: at byte `start` of the file, None for elsewhere.

    `blocks` is its length in blocks of `block_size`, the block size of that set's disk.
    """

    start: int | None
    blocks: int
    block_size: int

    def block_of(self, table: SegmentTable, block_size: int) -> int | None:
        """The block where a set with this table and block size finds the same data.

        Raises LayoutError if the table can't describe that data. A signature after a kernel is
        left out in whole blocks, so sizes counted in two block sizes can differ by one of each.
        """
        other = table.data_count * block_size
        margin = 0 if block_size == self.block_size else block_size + self.block_size - 1
        if abs(self.blocks * self.block_size - other) > margin:
            raise LayoutError(_UNLIKE)
        if self.start is None:
            return None
        if self.start % block_size:
            raise LayoutError(_UNLIKE)
        return self.start // block_size


_UNLIKE = "its sets of tables contradict one another"


class ProgramBlocks(NamedTuple):
    """The parts of one program: its first block, `start`, and that of its component table, `table`."""

    table: int
    start: int
    parts: tuple[Placed, ...]


class DiskMap:
    """The known addresses of a bootmap's blocks on one disk, in both directions."""

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self.addresses: dict[int, Address] = {}
        self.blocks: dict[Address, int] = {}

    def extended(self, program: ProgramBlocks) -> DiskMap | None:
        """Return the map with the blocks of a program added, or None if they contradict the map."""
        result = DiskMap(self.block_size)
        result.addresses |= self.addresses
        result.blocks |= self.blocks
        for block, address in _addresses(program):
            known = result.blocks.setdefault(address, block)
            if known != block or result.addresses.setdefault(block, address) != address:
                return None
        return result


def empty_block(reader: BlockReader) -> int:
    """The block that stands for holes in files: after the header, if there is one (since 2.17).

    A bootmap for several disks has one for each disk (write_empty_block).
    """
    return 1 if reader.has_header else 0


def program_blocks(
    reader: BlockReader,
    table: int,
    starts: range,
    known: DiskMap,
    seen: Mapping[PartKey, Region] | None,
) -> tuple[ProgramBlocks, DiskMap]:
    """Find the blocks of the program whose component table is block `table`.

    They start at one of the blocks `starts`. `seen` has the parts of the program in earlier sets;
    None for the first set. Raises LayoutError unless they can be laid out in exactly one way.
    """
    components = reader.component_table(table)
    if components is None:
        raise LayoutError("a component table is damaged")
    regions = None if seen is None else tuple(map(seen.get, part_keys(components)))
    found = []
    layouts = _layouts(reader, components, regions, table, starts.start)
    for number, (start, parts) in enumerate(layouts):
        if number == _LIMIT:
            raise LayoutError("the parts of a program can't be distinguished")
        if start not in starts:
            continue
        program = ProgramBlocks(table, start, parts)
        extended = known.extended(program)
        if extended is not None:
            found.append((program, extended))
    if not found:
        raise LayoutError("the parts of a program are not where they should be")
    if len(found) > 1:
        raise LayoutError("the parts of a program can't be distinguished")
    return found[0]


def part_keys(components: tuple[Component, ...]) -> tuple[PartKey, ...]:
    """What identifies each part in every set: type, load address, and a counter among equal ones."""
    kinds = [(component.type, component.load_address) for component in components]
    return tuple((*kind, kinds[:number].count(kind)) for number, kind in enumerate(kinds))


def _layouts(
    reader: BlockReader,
    components: tuple[Component, ...],
    regions: tuple[Region | None, ...] | None,
    end: int,
    floor: int,
) -> Iterator[tuple[int, tuple[Placed, ...]]]:
    """Yield every way to lay out the components in the blocks before `end`, with its first block."""
    if not components:
        yield end, ()
        return
    table = reader.segment_table(end - 1, components[-1].segments) if end > floor else None
    if table is None:
        return
    last = None if regions is None else regions[-1:]
    for start, data_start in _places(reader, table, last):
        if start < floor:
            continue
        placed = Placed(components[-1], table, data_start)
        left = None if regions is None else regions[:-1]
        for first, before in _layouts(reader, components[:-1], left, start, floor):
            yield first, (*before, placed)


def _places(
    reader: BlockReader, table: SegmentTable, region: tuple[Region | None, ...] | None
) -> Iterator[tuple[int, int | None]]:
    """Yield where a part with this table can start in the file, and where its data is then."""
    if region is not None and region[0] is not None:
        yield table.start, region[0].block_of(table, reader.block_size)
        return
    inside = table.start - table.data_count
    yield _begin(reader, inside), inside
    if region is None:
        yield table.start, None


def _begin(reader: BlockReader, data_start: int) -> int:
    """Return where the space starts that is reserved for the data at block `data_start`.

    The environment block has a file system block to itself, so there can be a gap before it.
    """
    if data_start * reader.block_size == reader.environment_offset:
        while data_start > 0 and not any(reader.block(data_start - 1)):
            data_start -= 1
    return data_start


def _addresses(program: ProgramBlocks) -> Iterator[tuple[int, Address]]:
    for part in program.parts:
        for number, pointer in enumerate(part.table.own):
            yield part.table.start + number, pointer.address
        if part.data_start is not None:
            addresses = [a for pointer in part.table.data for a in pointer.addresses]
            yield from enumerate(addresses, part.data_start)


def match_tables(
    tables: tuple[int, ...], wanted: frozenset[Address], known: DiskMap
) -> dict[Address, int]:
    """Find the component table that each pointer of the program table refers to.

    A component table's own address is only in the program table. On the disk it follows the block
    before it and precedes the block after it, unless the file is fragmented there. Tables that
    match on both sides are assigned first, then those that match on one side, and a last one by
    elimination. Raises LayoutError if a table is left over.
    """
    if len(tables) != len(wanted):
        raise LayoutError(
            f"it has {len(tables)} programs, but its program table names {len(wanted)}"
        )
    found: dict[Address, int] = {}
    both, either = {}, {}
    for table in tables:
        following, preceding = _neighbours(table, wanted, known)
        both[table], either[table] = following & preceding, following | preceding
    left = _assign(both, found)
    left = _assign({table: either[table] for table in left}, found)
    if len(left) > 1:
        raise LayoutError("its programs can't be distinguished")
    found.update(zip(wanted - found.keys(), left, strict=True))
    return found


def _neighbours(
    table: int, wanted: frozenset[Address], known: DiskMap
) -> tuple[frozenset[Address], frozenset[Address]]:
    """The addresses that follow the block before the table, and those that precede the one after it."""
    before, after = known.addresses.get(table - 1), known.addresses.get(table + 1)
    following = wanted & successors(before) if before is not None else frozenset()
    preceding = frozenset(each for each in wanted if after in successors(each))
    return following, preceding


def _assign(candidates: dict[int, frozenset[Address]], found: dict[Address, int]) -> list[int]:
    """Assign each table its only possible address; return the tables that are left without one."""
    left = dict(candidates)
    while True:
        sure = next(
            ((t, c - found.keys()) for t, c in left.items() if len(c - found.keys()) == 1), None
        )
        if sure is None:
            return list(left)
        table, (address,) = sure
        found[address] = table
        del left[table]
