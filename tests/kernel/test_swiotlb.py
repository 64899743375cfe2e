from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.swiotlb import (
    DEFAULT_BLOCKS,
    SEGMENT_BLOCKS,
    Generation,
    SwiotlbValue,
    parse_unsigned,
    read,
    read_value,
    rounded,
    size_text,
)
from tests.command_lines import lines

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "cmdline"
OLD, NEW = Generation.BEFORE_6_0, Generation.SINCE_6_0


def blocks(text: str, generation: Generation, cpus: int = 1) -> int:
    return read(CommandLine.parse(text), generation, cpus).blocks


SAMPLE_BLOCKS = {
    # name: blocks before 6.0, and since 6.0 with 4 CPUs
    "sw-262144": (262144, 262144),
    "sw-after-dashdash-NOT-parsed": (32768, 32768),
    "sw-areas": (262144, 262144),
    "sw-areas-force": (262144, 262144),
    "sw-force": (262144, 262144),
    "sw-hex": (262144, 262144),
    "sw-noforce-breaks-se": (32768, 32768),
    "sw-not-pow2": (300032, 524288),
    "sw-number-then-force": (262144, 262144),
    "sw-octal-is-131072": (131072, 131072),
    "sw-suffix-ignored-512-slabs": (512, 512),
    "sw-tiny": (128, 512),
    "sw-twice-last-wins": (262144, 262144),
    "sw-zero": (0, 512),
}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("sw-*")), ids=lambda path: path.name)
def test_every_sample_reads_as_its_name_says(path: Path) -> None:
    text = path.read_text()
    reading = read(CommandLine.parse(text))

    assert (blocks(text, OLD), blocks(text, NEW, 4)) == SAMPLE_BLOCKS[path.name]
    assert reading.force == path.name.endswith("force")
    assert reading.noforce == ("noforce" in path.name)
    assert reading.areas == (8 if "areas" in path.name else 0)


@pytest.mark.parametrize(
    ("text", "value", "rest"),
    [
        ("262144", 262144, ""),
        ("512M", 512, "M"),
        ("0x40000,4", 262144, ",4"),
        ("0X1fg", 31, "g"),
        ("0400000", 131072, ""),
        ("08", 0, "8"),
        ("0x", 0, "x"),
        ("0xg", 0, "xg"),
        ("0", 0, ""),
        ("18446744073709551617", 1, ""),
        ("1_000", 1, "_000"),
        ("²", 0, "²"),  # a digit for str.isdigit(), not for the kernel
    ],
)
def test_numbers_have_the_base_of_their_prefix(text: str, value: int, rest: str) -> None:
    assert parse_unsigned(text) == (value, rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SwiotlbValue(None, None, force=False, noforce=False, ignored="")),
        ("abc", SwiotlbValue(None, None, force=False, noforce=False, ignored="abc")),
        ("1000", SwiotlbValue(1024, None, force=False, noforce=False, ignored="")),
        ("512M", SwiotlbValue(512, None, force=False, noforce=False, ignored="M")),
        ("512M,force", SwiotlbValue(512, None, force=False, noforce=False, ignored="M,force")),
        (",4", SwiotlbValue(None, 4, force=False, noforce=False, ignored="")),
        ("256,3,force", SwiotlbValue(256, 4, force=True, noforce=False, ignored="")),
        ("256,0", SwiotlbValue(256, 1, force=False, noforce=False, ignored="")),
        ("256force", SwiotlbValue(256, None, force=True, noforce=False, ignored="")),
        ("256,,noforce", SwiotlbValue(256, None, force=False, noforce=True, ignored="")),
        ("force ", SwiotlbValue(None, None, force=False, noforce=False, ignored="force ")),
        ("08", SwiotlbValue(0, 8, force=False, noforce=False, ignored="")),
    ],
)
def test_one_value_since_6_0(text: str, expected: SwiotlbValue) -> None:
    assert read_value(text) == expected


def test_before_6_0_there_are_no_areas_and_flags_follow_the_number() -> None:
    value = read_value("256,4,force", OLD)

    assert value == SwiotlbValue(256, None, force=False, noforce=False, ignored="4,force")
    assert read_value("256,force", OLD).force


def test_the_last_number_wins_and_flags_stay() -> None:
    line = CommandLine.parse("swiotlb=1024,noforce swiotlb=force swiotlb swiotlb=2048 swiotlb=x")
    reading = read(line)

    assert reading.blocks == 2048
    assert reading.size == 4 << 20
    assert reading.numbered is not None
    assert reading.numbered.text == "swiotlb=2048"
    assert (reading.force, reading.noforce) == (True, True)


def test_without_a_number_the_default_of_64_mib_applies() -> None:
    reading = read(CommandLine.parse("swiotlb=force"))

    assert (reading.blocks, reading.numbered) == (DEFAULT_BLOCKS, None)
    assert size_text(reading.blocks) == "64 MiB"


@pytest.mark.parametrize(
    ("text", "cpus", "expected"),
    [
        ("swiotlb=1", 4, 512),
        ("swiotlb=1", 248, 32768),
        ("swiotlb=300000", 4, 524288),
        ("swiotlb=1,16", 4, 2048),
        # Areas cause rounding at once; a later number is not rounded again.
        ("swiotlb=262144,8 swiotlb=1000", 4, 1024),
    ],
)
def test_rounding_since_6_0_depends_on_areas(text: str, cpus: int, expected: int) -> None:
    assert blocks(text, NEW, cpus) == expected


@given(lines())
def test_newer_kernels_never_set_up_less_than_older_ones(text: str) -> None:
    assert blocks(text, NEW) >= blocks(text, OLD)
    assert blocks(text, OLD) % SEGMENT_BLOCKS == 0


def test_sizes_use_the_largest_unit_that_divides_them() -> None:
    texts = [size_text(number) for number in (0, 1, 512, 300000, 262144, 524288, 786432)]

    assert texts == ["0 KiB", "2 KiB", "1 MiB", "600000 KiB", "512 MiB", "1 GiB", "1536 MiB"]


def test_rounding_of_a_bare_number() -> None:
    assert rounded(300000, OLD) == 300032
    assert rounded(300000, NEW) == 524288
