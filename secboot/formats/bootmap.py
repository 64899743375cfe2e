"""The bootmap: the file with everything that an IPL reads, as last written by zipl.

For each boot entry it holds the parameter line, and pointers to the disk blocks of the kernel and
the ramdisk. An IPL never reads zipl.conf or a BLS entry; this file holds what they contained when
zipl ran. zipl/src/bootmap.c writes it; the machine's loader, QEMU's s390-ccw BIOS and zipl's own
stage 3 follow it. The parameter block of stage 3 (boot_get_stage3_parms in zipl/src/boot.c)
identifies the part that is the parameter line.
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
"""Where stage 3 finds its parameter block (STAGE3_PARAMS_ADDRESS in all releases with stage 3)."""
_STAGE3_PARAMETERS = struct.Struct(">QQQQQHHHHQQ")
_NO_ADDRESS = 2**64 - 1
_KDUMP_FLAG = 0x2
_ENVIRONMENT_LIMIT = 4096
_MAX_PARMLINE = 0x10000


class BootmapError(ParseError):
    """A file is not a bootmap that can be read reliably; the message says why."""


class Program(NamedTuple):
    """One program that can be IPLed. `numbers` are its positions in the program table.

    Number 0 is the default; the entries of a menu also have their menu numbers, 1 to 62.
    `parmline` is the parameter line, decoded like all text here, with ``${NAME}`` unexpanded;
    "" if there is none, and None if the program does not boot a kernel (a segment). The sizes
    are those of the files when zipl ran, in bytes; 0 means no ramdisk. `kdump` marks a kernel
    that is IPLed to write a dump.
    """

    numbers: tuple[int, ...]
    parmline: str | None
    image_size: int | None
    ramdisk_size: int | None
    kdump: bool

    @property
    def is_default(self) -> bool:
        """Whether an IPL starts this program when nobody chooses another."""
        return 0 in self.numbers


class Bootmap(NamedTuple):
    """The programs that can be IPLed, in file order, and the environment for parameter lines.

    `environment` is None if the loader does not replace ``${NAME}`` (before 2.18).
    """

    programs: tuple[Program, ...]
    environment: ZiplEnvironment | None
    block_size: int

    @property
    def default(self) -> Program:
        """The program that an IPL starts when nobody chooses another."""
        return next(program for program in self.programs if program.is_default)

    @property
    def is_menu(self) -> bool:
        """Whether entries can be chosen by number."""
        return any(number for program in self.programs for number in program.numbers)

    def numbered(self, number: int) -> Program | None:
        """The entry with this menu number; 0 is the default."""
        return next((p for p in self.programs if number in p.numbers), None)


def read_bootmap(data: bytes, path: str = "bootmap") -> Bootmap:
    """Read a bootmap. Raises `BootmapError` unless it can be read in exactly one way.

    A bootmap has no checksums: a changed character in a parameter line goes unnoticed here, as it
    does at IPL. Everything else must be consistent, in every copy of the tables.
    """
    try:
        sets = find_sets(data)
    except LayoutError as error:
        raise BootmapError(f"{path} can't be read as a boot record: {error}") from error
    found: list[Bootmap] = []
    reason = "its program table is damaged" if sets else "it has no program table"
    for size in BLOCK_SIZES if sets else ():
        try:
            found.append(_read_blocks(data, sets, size))
        except LayoutError as error:
            # Wrong block sizes fail early and without a reason; the right one gives a reason.
            reason = str(error) or reason
    if not found:
        raise BootmapError(f"{path} can't be read as a boot record: {reason}")
    if len({bootmap.programs for bootmap in found}) > 1:
        raise BootmapError(f"{path} can't be read as a boot record: it is ambiguous")
    return found[0]


def _read_blocks(data: bytes, sets: tuple[TableSet, ...], block_size: int) -> Bootmap:
    """Read the bootmap, assuming that its first disk has this block size."""
    readings = {
        tuple(_program(each.reader, own, numbers, each.disk) for numbers, own in each.programs)
        for each in read_sets(data, sets, block_size)
    }
    if len(readings) > 1:
        raise LayoutError("its sets of tables contradict one another")
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
            # A segment has one part; a kernel comes with its loader.
            raise LayoutError("the loader settings of a program are missing")
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
    """The data of a part that is stored in the bootmap itself."""
    count = part.table.data_count
    if part.data_start is not None:
        return reader.blocks(tuple(range(part.data_start, part.data_start + count)))
    if count > _MAX_PARMLINE // reader.block_size + 1:
        raise LayoutError("the data of a program is not in the file")
    addresses = [a for pointer in part.table.data for a in pointer.addresses]
    if any(address not in known.blocks for address in addresses):
        raise LayoutError("the data of a program is not in the file")
    return reader.blocks(tuple(known.blocks[address] for address in addresses))


def _parmline(content: bytes, block_size: int) -> str:
    text, nul, rest = content.partition(b"\0")
    if not nul or any(rest) or len(rest) >= block_size:
        raise LayoutError("the parameter line of a program is damaged")
    return decoded(text)


def _environment(reader: BlockReader) -> ZiplEnvironment | None:
    """The environment block that the header points to; not all releases write one."""
    offset = reader.environment_offset
    if offset == 0:
        return None
    try:
        return ZiplEnvironment.parse(reader.data[offset : offset + _ENVIRONMENT_LIMIT])
    except ValueError as error:
        raise LayoutError(str(error)) from error
