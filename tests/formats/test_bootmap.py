"""Bootmaps written by the real zipl (tests/data/bootmaps), intact and damaged."""

from __future__ import annotations

import json
import lzma
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from secboot.formats.bootmap import Bootmap, BootmapError, read_bootmap
from secboot.formats.bootmap_sets import TableSet, find_sets
from secboot.formats.bootmap_tables import POINTER_SIZE, PointerForm, read_pointer, successors

DATA = Path(__file__).parents[1] / "data" / "bootmaps"
NAMES = sorted(path.stem for path in DATA.glob("*.xz"))
SMALL = [name for name in NAMES if "many" not in name]
MIRRORED = {
    "fba-scsi-512": 512,
    "cdl-cdl-4096": 4096,
    "cdl-scsi512-4096": 512,
    "scsi-cdl-ldl-4096": 4096,
}
"""Boot records made for several disks, with the block size of the last disk."""


@cache
def bootmap(name: str) -> bytes:
    return lzma.decompress((DATA / f"{name}.xz").read_bytes())


def entries(found: Bootmap) -> list[list[object]]:
    return [[max(p.numbers), p.is_default, p.parmline] for p in found.programs]


def lines(found: Bootmap) -> set[str | None]:
    return {program.parmline for program in found.programs}


@pytest.mark.parametrize("name", NAMES)
def test_a_real_bootmap_matches_the_output_of_zipl(name: str) -> None:
    found = read_bootmap(bootmap(name))

    *_, block_size, setup = name.split("-")
    assert entries(found) == json.loads((DATA / f"{setup}.json").read_text())
    assert found.is_menu is (setup != "section")
    assert found.block_size == int(block_size)


def test_sizes_of_kernel_and_ramdisk_and_the_default_by_number() -> None:
    found = read_bootmap(bootmap("2.40.0-scsi-512-menu"))

    first, second, silent = found.programs
    assert (first.image_size, first.ramdisk_size) == (0x11000 + 100_000, 72_000)
    assert (second.ramdisk_size, second.numbers, second.is_default) == (0, (0, 3), True)
    assert silent.parmline == ""
    assert found.default == found.numbered(0) == found.numbered(3) == second
    assert found.numbered(5) is None


def test_the_environment_block_is_read() -> None:
    found = read_bootmap(bootmap("2.40.0-eckd-ldl-4096-menu"))

    assert found.environment is not None
    assert read_bootmap(bootmap("2.16.0-eckd-ldl-4096-menu")).environment is None
    assert found.environment.expand("console=${CONSOLE} ${NOTHING}x") == "console=ttyS0 x"


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096])
def test_a_truncated_file_is_not_a_boot_record(size: int) -> None:
    with pytest.raises(BootmapError, match="can't be read as a boot record"):
        read_bootmap(bootmap("2.40.0-scsi-512-menu")[:size])


@pytest.mark.repeating
@pytest.mark.parametrize("name", SMALL)
def test_a_truncated_bootmap_can_not_be_read(name: str) -> None:
    """Unless a complete set of tables is left: zipl 2.40 writes two for ECKD and FBA disks."""
    whole = bootmap(name)
    first_table = _program_tables(whole)[0]

    for size in range(0, first_table + 1, 512):
        with pytest.raises(BootmapError):
            read_bootmap(whole[:size])
    for size in range(first_table + 512, len(whole), 512):
        _same_or_refused(whole, whole[:size])


def _program_tables(data: bytes) -> list[int]:
    """The offsets of the program tables: the magic, zeroes, and then a pointer."""
    return [
        at
        for at in range(0, len(data), 512)
        if data[at : at + 16] == b"zIPL" + bytes(12) and any(data[at + 16 : at + 32])
    ]


@pytest.mark.parametrize("disks", MIRRORED)
def test_contradictory_copies_for_another_disk_are_not_a_record(disks: str) -> None:
    """It is unknown which disk an IPL uses, so contradicting sets are rejected."""
    whole = bootmap(f"2.40.0-{disks}-menu")
    *_, last = find_sets(whole)

    for damage in (_other_default, _program_lost, _line_elsewhere):
        damaged = bytearray(whole)
        damage(damaged, last, MIRRORED[disks])
        with pytest.raises(BootmapError):
            read_bootmap(bytes(damaged))


@pytest.mark.parametrize("disks", MIRRORED)
def test_a_copy_that_is_missing_is_noticed(disks: str) -> None:
    whole = bootmap(f"2.40.0-{disks}-bls")

    for each in find_sets(whole)[:-1]:
        with pytest.raises(BootmapError):
            read_bootmap(whole[: each.programs + 512])


def _other_default(data: bytearray, tables: TableSet, _: int) -> None:
    default, seventh = tables.programs + POINTER_SIZE, tables.programs + 8 * POINTER_SIZE
    pointer = data[seventh : seventh + POINTER_SIZE]
    assert any(pointer)
    assert pointer != data[default : default + POINTER_SIZE]
    data[default : default + POINTER_SIZE] = pointer


def _program_lost(data: bytearray, tables: TableSet, _: int) -> None:
    data[tables.components[0]] ^= 1


def _line_elsewhere(data: bytearray, tables: TableSet, block_size: int) -> None:
    """The line of the first program is read from another block. Three segment tables end its parts."""
    pointer = tables.components[0] - 3 * block_size
    length = data[pointer + 7 if any(data[pointer : pointer + 2]) else pointer + 11]
    assert length == 0, "a line of one block"
    data[pointer + (1 if any(data[pointer : pointer + 2]) else 7)] ^= 0x40


@settings(max_examples=150)
@given(
    name=st.sampled_from(SMALL),
    changes=st.lists(st.tuples(st.integers(0, 2**31), st.integers(1, 255)), min_size=1, max_size=6),
)
def test_changed_bytes_give_an_error_or_the_same_lines(
    name: str, changes: list[tuple[int, int]]
) -> None:
    """Except the text of a line and the environment: nothing in the file protects these."""
    whole = bootmap(name)
    damaged = bytearray(whole)
    for where, what in changes:
        damaged[where % len(whole)] ^= what
    _same_or_refused(whole, bytes(damaged))


@settings(max_examples=150)
@given(
    name=st.sampled_from(SMALL),
    table=st.integers(0, 40),
    where=st.integers(0, 4095),
    what=st.integers(1, 255),
)
def test_changed_tables_give_an_error_or_the_same_lines(
    name: str, table: int, where: int, what: int
) -> None:
    whole = bootmap(name)
    starts = [at for at in range(0, len(whole), 512) if whole[at : at + 4] == b"zIPL"]
    damaged = bytearray(whole)
    damaged[min(starts[table % len(starts)] + where % 512, len(whole) - 1)] ^= what
    _same_or_refused(whole, bytes(damaged))


@settings(max_examples=60)
@given(name=st.sampled_from(SMALL), data=st.data())
def test_blocks_that_were_moved_or_lost_are_noticed(name: str, data: st.DataObject) -> None:
    whole = bootmap(name)
    count = len(whole) // 512
    at = data.draw(st.integers(0, count - 1)) * 512
    source = data.draw(st.integers(0, count - 1)) * 512
    put = data.draw(st.sampled_from([whole[source : source + 512], b"", bytes(512)]))
    _same_or_refused(whole, whole[:at] + put + whole[at + 512 :])


@settings(max_examples=60)
@given(st.binary(max_size=6000), st.integers(0, 12))
@example(b"zIPL", 0)
def test_any_bytes_are_a_bootmap_or_an_error(data: bytes, magics: int) -> None:
    junk = bytearray(data.ljust(magics * 512, b"\0"))
    for number in range(magics):
        junk[number * 512 : number * 512 + 4] = b"zIPL"
    with pytest.raises(BootmapError):
        read_bootmap(bytes(junk))


def _same_or_refused(whole: bytes, damaged: bytes) -> None:
    try:
        found = read_bootmap(damaged)
    except BootmapError:
        return
    # Including the NUL: any other byte in its place makes the line longer.
    texts = [line.encode() + b"\0" for line in lines(read_bootmap(whole)) if line]
    intact = all(damaged.count(text) == whole.count(text) for text in texts)
    assert lines(found) <= lines(read_bootmap(whole)) or not intact


def test_pointers_of_the_three_forms() -> None:
    linear = struct.pack(">QHH4x", 335140, 512, 31)
    legacy = struct.pack(">HHBHB8x", 0x0001, 0x0012, 7, 4096, 3)
    newer = struct.pack(">LBB4xH4x", 0x10001, 2, 7, 3)

    first = read_pointer(linear, PointerForm.LINEAR, 512)
    second = read_pointer(legacy, PointerForm.ECKD, 4096)
    third = read_pointer(newer, PointerForm.ECKD_LIST_DIRECTED, 4096)

    assert first is not None
    assert first == ((335140,), 32)
    assert second == third
    assert second is not None
    assert second.addresses == ((0x10001, 2, 7), (0x10001, 2, 8), (0x10001, 2, 9), (0x10001, 2, 10))
    assert read_pointer(bytes(16), PointerForm.LINEAR, 512) is None
    assert (0x10001, 3, 1) in successors((0x10001, 2, 12))


@pytest.mark.parametrize("form", PointerForm)
def test_invalid_pointers(form: PointerForm) -> None:
    with pytest.raises(ValueError, match="to blocks of 512 bytes"):
        read_pointer(b"\xff" * 16, form, 512)
