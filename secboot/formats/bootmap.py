"""The bootmap: the file with all that an IPL reads, as zipl wrote it last.

It holds for each boot entry the parameter line, and pointers to the disk blocks of its kernel and
ramdisk. An IPL never looks at zipl.conf or a BLS entry, so this file says what they said when
zipl ran. Written by zipl/src/bootmap.c; followed by the machine's loader, by QEMU's s390-ccw
BIOS, and by zipl's own stage 3, from whose parameter block (boot_get_stage3_parms in
zipl/src/boot.c) it is known which part is the parameter line.
"""

from __future__ import annotations

import struct

from secboot.errors import ParseError
from secboot.formats.bootmap_layout import DiskMap, LayoutError, Placed, ProgramBlocks
from secboot.formats.bootmap_sets import TableSet, find_sets, read_sets
from secboot.formats.bootmap_tables import BLOCK_SIZES, BlockReader, ComponentType, PointerForm
from secboot.formats.text import decoded
from secboot.formats.zipl_parameters import ZiplEnvironment
from secboot.named_tuple import NamedTuple

STAGE3_PARAMETERS_ADDRESS = 0x9000
"""Where stage 3 finds its parameter block (STAGE3_PARAMS_ADDRESS, all releases with stage 3)."""
_STAGE3_PARAMETERS = struct.Struct(">QQQQQHHHHQQ")
_NO_ADDRESS = 2**64 - 1
_KDUMP_FLAG = 0x2
_ENVIRONMENT_LIMIT = 4096
_MAX_PARMLINE = 0x10000


class BootmapError(ParseError):
    """A file is no bootmap that can be read with certainty; the message says why."""


class Program(NamedTuple):
    """One thing that can be IPLed. `numbers` are its places in the table of programs.

    Number 0 is the default; a menu's entries have their menu numbers, 1 to 62, besides.
    `parmline` is the parameter line in bytes read as text like all texts here, with ``${NAME}``
    as it is; "" where there is none, and None where no kernel is booted (a segment). The sizes
    are those of the files when zipl ran, in bytes, 0 for no ramdisk. `kdump` marks a kernel that
    is IPLed to write a dump.
    """

    numbers: tuple[int, ...]
    parmline: str | None
    image_size: int | None
    ramdisk_size: int | None
    kdump: bool

    @property
    def is_default(self) -> bool:
        """Whether an IPL takes this one when nobody chooses."""
        return 0 in self.numbers


class Bootmap(NamedTuple):
    """All that can be IPLed, in the order of the file, and the environment for parameter lines.

    `environment` is None where the loader is one that replaces no ``${NAME}`` (before 2.18).
    """

    programs: tuple[Program, ...]
    environment: ZiplEnvironment | None
    block_size: int

    @property
    def default(self) -> Program:
        """What an IPL takes when nobody chooses."""
        return next(program for program in self.programs if program.is_default)

    @property
    def is_menu(self) -> bool:
        """Whether entries can be chosen by number."""
        return any(number for program in self.programs for number in program.numbers)

    def numbered(self, number: int) -> Program | None:
        """The entry with this menu number; 0 is the default."""
        return next((p for p in self.programs if number in p.numbers), None)


def read_bootmap(data: bytes, path: str = "bootmap") -> Bootmap:
    """Read a bootmap. Raises `BootmapError` unless there is exactly one way to read it.

    There are no checksums in a bootmap: a changed letter in a parameter line goes unnoticed here
    as it would at IPL. Everything else has to fit together, in every copy of the tables.
    """
    try:
        sets = find_sets(data)
    except LayoutError as error:
        raise BootmapError(f"{path} can't be read as a boot record: {error}") from error
    found: list[Bootmap] = []
    reason = "its table of programs is damaged" if sets else "no table of programs was found in it"
    for size in BLOCK_SIZES if sets else ():
        try:
            found.append(_read_blocks(data, sets, size))
        except LayoutError as error:
            # Wrong block sizes fail early, the right one has something to say.
            reason = str(error) or reason
    if not found:
        raise BootmapError(f"{path} can't be read as a boot record: {reason}")
    if len({bootmap.programs for bootmap in found}) > 1:
        raise BootmapError(f"{path} can't be read as a boot record: it can be read in two ways")
    return found[0]


def _read_blocks(data: bytes, sets: tuple[TableSet, ...], block_size: int) -> Bootmap:
    """Read it for a first disk with this block size."""
    readings = {
        tuple(_program(each.reader, own, numbers, each.disk) for numbers, own in each.programs)
        for each in read_sets(data, sets, block_size)
    }
    if len(readings) > 1:
        raise LayoutError("its sets of tables do not say the same")
    environment = _environment(BlockReader(data, block_size, PointerForm.LINEAR))
    return Bootmap(readings.pop(), environment, block_size)


def _program(
    reader: BlockReader, blocks: ProgramBlocks, numbers: tuple[int, ...], known: DiskMap
) -> Program:
    parts = {
        part.component.load_address: part
        for part in blocks.parts
        if part.component.type is ComponentType.LOAD
    }
    settings = parts.get(STAGE3_PARAMETERS_ADDRESS)
    if settings is None:
        if len(blocks.parts) > 1:
            # A segment is alone; a kernel comes with its loader.
            raise LayoutError("the settings of a program's loader are missing")
        return Program(numbers, None, None, None, kdump=False)
    values = _STAGE3_PARAMETERS.unpack_from(_content(reader, settings, known))
    parm_address, _, ramdisk_size, _, _, flags, *_, image_size, _ = values
    parmline = ""
    if parm_address != _NO_ADDRESS:
        if parm_address not in parts:
            raise LayoutError("the parameter line of a program is missing")
        parmline = _parmline(_content(reader, parts[parm_address], known), reader.block_size)
    return Program(numbers, parmline, image_size, ramdisk_size, kdump=bool(flags & _KDUMP_FLAG))


def _content(reader: BlockReader, part: Placed, known: DiskMap) -> bytes:
    """The data of a part that lies in the bootmap itself."""
    count = part.table.data_count
    if part.data_start is not None:
        return reader.blocks(tuple(range(part.data_start, part.data_start + count)))
    if count > _MAX_PARMLINE // reader.block_size + 1:
        raise LayoutError("the data of a program is outside of it")
    addresses = [a for pointer in part.table.data for a in pointer.addresses]
    if any(address not in known.blocks for address in addresses):
        raise LayoutError("the data of a program is outside of it")
    return reader.blocks(tuple(known.blocks[address] for address in addresses))


def _parmline(content: bytes, block_size: int) -> str:
    text, nul, rest = content.partition(b"\0")
    if not nul or any(rest) or len(rest) >= block_size:
        raise LayoutError("the parameter line of a program is damaged")
    return decoded(text)


def _environment(reader: BlockReader) -> ZiplEnvironment | None:
    """The environment block, which the header points to; not all releases write one."""
    offset = reader.environment_offset
    if offset == 0:
        return None
    try:
        return ZiplEnvironment.parse(reader.data[offset : offset + _ENVIRONMENT_LIMIT])
    except ValueError as error:
        raise LayoutError(str(error)) from error
