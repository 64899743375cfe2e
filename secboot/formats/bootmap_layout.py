"""Which block of a bootmap lies where on the disk, told by the bootmap alone.

All pointers in a bootmap name disk blocks, since a loader knows no files. But zipl writes the
file strictly in one order: for each program, for each of its parts, first the part's data (unless
it lies in a file of its own, as kernel and ramdisk do), then its segment table, and at the end the
component table (add_ipl_program in zipl/src/bootmap.c). Read backwards from a component table,
every block so finds its place, and with it its address on the disk. That every block must be
accounted for, each with one address, is also what tells a damaged bootmap from a whole one.

Data is written once. Further tables, for another way to IPL or another disk, point to it again,
part by part; what no earlier program has as well comes before its own table as in the first set.
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
"""More ways than this to read one program mean that the file is no bootmap."""


class LayoutError(ValueError):
    """The blocks do not lie as zipl would have written them; the message says what is wrong."""


class Placed(NamedTuple):
    """A part of a program: its segment table, and where its data begins in the file.

    `data_start` is None for data that lies elsewhere: in another file, or earlier in this one.
    """

    component: Component
    table: SegmentTable
    data_start: int | None


class Region(NamedTuple):
    """Where the data of a part was seen before: in the file from byte `start` on, None for elsewhere.

    `blocks` and `block_size` are how the disk of that set counts it.
    """

    start: int | None
    blocks: int
    block_size: int

    def block_of(self, table: SegmentTable, block_size: int) -> int | None:
        """The block in which a set with this table and block size finds the same data.

        Raises LayoutError when the table can't be one of that data. A signature behind a kernel
        is left out by whole blocks, so sizes in blocks of two sizes can differ by one of each.
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


_UNLIKE = "its sets of tables do not say the same"


class ProgramBlocks(NamedTuple):
    """The parts of one program; `table` is the block of its component table, `start` its first."""

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
        """The map with the blocks of a program, or None when they contradict it."""
        result = DiskMap(self.block_size)
        result.addresses |= self.addresses
        result.blocks |= self.blocks
        for block, address in _addresses(program):
            known = result.blocks.setdefault(address, block)
            if known != block or result.addresses.setdefault(block, address) != address:
                return None
        return result


def empty_block(reader: BlockReader) -> int:
    """The block that holes in files are read from: after the header, where there is one (2.17 on).

    A bootmap for several disks has one for each (write_empty_block).
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

    They begin at one of the blocks `starts`. `seen` are the parts that the program has in earlier
    sets; None in the first one. Raises LayoutError when there is no way to lay them out, or more
    than one.
    """
    components = reader.component_table(table)
    if components is None:
        raise LayoutError("a table of components is damaged")
    regions = None if seen is None else tuple(map(seen.get, part_keys(components)))
    found = []
    layouts = _layouts(reader, components, regions, table, starts.start)
    for number, (start, parts) in enumerate(layouts):
        if number == _LIMIT:
            raise LayoutError("the parts of a program can't be told apart")
        if start not in starts:
            continue
        program = ProgramBlocks(table, start, parts)
        extended = known.extended(program)
        if extended is not None:
            found.append((program, extended))
    if not found:
        raise LayoutError("the parts of a program are not where they should be")
    if len(found) > 1:
        raise LayoutError("the parts of a program can't be told apart")
    return found[0]


def part_keys(components: tuple[Component, ...]) -> tuple[PartKey, ...]:
    """What each part is known by in every set: its type and load address, and which one of those."""
    kinds = [(component.type, component.load_address) for component in components]
    return tuple((*kind, kinds[:number].count(kind)) for number, kind in enumerate(kinds))


def _layouts(
    reader: BlockReader,
    components: tuple[Component, ...],
    regions: tuple[Region | None, ...] | None,
    end: int,
    floor: int,
) -> Iterator[tuple[int, tuple[Placed, ...]]]:
    """Every way to lay out the components in the blocks before `end`, with its first block."""
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
    """Where a part with this table can begin in the file, and where its data then is."""
    if region is not None and region[0] is not None:
        yield table.start, region[0].block_of(table, reader.block_size)
        return
    inside = table.start - table.data_count
    yield _begin(reader, inside), inside
    if region is None:
        yield table.start, None


def _begin(reader: BlockReader, data_start: int) -> int:
    """Where the space for data begins that itself begins at block `data_start`.

    The environment block has a file system block for itself, so there can be a gap before it.
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
    """Say which component table each pointer of the program table means.

    A component table's own address stands nowhere but in the program table. It follows the block
    before it on the disk and precedes the one after it, unless the file is in pieces just there:
    tables that lie between both are told first, then those beside one, and of all others one at
    most, by what is left. Raises LayoutError where that does not tell every table.
    """
    if len(tables) != len(wanted):
        raise LayoutError(
            f"it has {len(tables)} programs, but its table of programs names {len(wanted)}"
        )
    found: dict[Address, int] = {}
    between, beside = {}, {}
    for table in tables:
        behind, ahead = _neighbours(table, wanted, known)
        between[table], beside[table] = behind & ahead, behind | ahead
    left = _assign(between, found)
    left = _assign({table: beside[table] for table in left}, found)
    if len(left) > 1:
        raise LayoutError("its programs can't be told apart")
    found.update(zip(wanted - found.keys(), left, strict=True))
    return found


def _neighbours(
    table: int, wanted: frozenset[Address], known: DiskMap
) -> tuple[frozenset[Address], frozenset[Address]]:
    """Which addresses come after the block before the table, and before the block after it."""
    before, after = known.addresses.get(table - 1), known.addresses.get(table + 1)
    behind = wanted & successors(before) if before is not None else frozenset()
    ahead = frozenset(each for each in wanted if after in successors(each))
    return behind, ahead


def _assign(candidates: dict[int, frozenset[Address]], found: dict[Address, int]) -> list[int]:
    """Give each table the only address that it can have; return those that stay without one."""
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
