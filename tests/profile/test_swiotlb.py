from __future__ import annotations

import pytest

from secboot.errors import Location
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.occurrences import AbsentRequirement
from secboot.profile.swiotlb import Bound, SwiotlbSizeRequirement

AT_LEAST = SwiotlbSizeRequirement("swiotlb", Location("x"), Bound.AT_LEAST, 262144)
EXACTLY = SwiotlbSizeRequirement("swiotlb", Location("x"), Bound.EXACTLY, 262144)
SMALL = SwiotlbSizeRequirement("swiotlb", Location("x"), Bound.AT_LEAST, 32768)
LARGE = SwiotlbSizeRequirement("swiotlb", Location("x"), Bound.AT_LEAST, 786432)
ABSENT = AbsentRequirement("swiotlb", Location("x"))

# requirement, line, changed line (None: it is met and does not change), part of the reason
CASES = [
    (AT_LEAST, "a", "a swiotlb=262144", "default of 32768 blocks (64 MiB) applies"),
    (AT_LEAST, "a -- b", "a swiotlb=262144 -- b", "default"),
    (AT_LEAST, "swiotlb=262144", None, "swiotlb=262144 is 262144 blocks (512 MiB)"),
    (AT_LEAST, "swiotlb=0x40000", None, "is read as 262144 blocks (512 MiB)"),
    (AT_LEAST, "swiotlb=524288,8,force", None, "524288 blocks (1 GiB)"),
    (AT_LEAST, "swiotlb=262144M", None, "'M' is ignored"),
    (AT_LEAST, 'a swiotlb="262144" b', None, "512 MiB"),
    (AT_LEAST, "swiotlb=65536 swiotlb=262144", None, "swiotlb=262144 is"),
    (AT_LEAST, "swiotlb=262144 swiotlb=force", None, "swiotlb=262144 is"),
    (
        AT_LEAST,
        "a swiotlb=512M b",
        "a swiotlb=262144 b",
        "read as 512 blocks (1 MiB): 'M' is ignored",
    ),
    (AT_LEAST, "swiotlb=0262144", "swiotlb=262144", "is read as 91264 blocks"),
    (
        AT_LEAST,
        "swiotlb=65536,4,force",
        "swiotlb=262144,4,force",
        "(128 MiB); the profile requires at least 512 MiB",
    ),
    (AT_LEAST, "swiotlb=force a", "swiotlb=262144,force a", "default"),
    (AT_LEAST, "swiotlb=08", "swiotlb=262144", "read as 0 blocks (0 KiB): '8' is ignored"),
    (AT_LEAST, "swiotlb=262144 a swiotlb=512M", "swiotlb=262144 a", "512 blocks"),
    (AT_LEAST, "swiotlb=noforce a", "swiotlb=262144 a", "noforce leaves"),
    (AT_LEAST, "swiotlb=524288,2 a swiotlb=noforce", "swiotlb=524288,2 a", "noforce leaves"),
    (AT_LEAST, "swiotlb", "swiotlb=262144", "default"),
    # More than the kernel can place was meant to be large: use the largest that all can place.
    (AT_LEAST, "swiotlb=1048576", "swiotlb=524288", "must fit below 2 GiB"),
    (AT_LEAST, "swiotlb=2097152,8,force", "swiotlb=524288,8,force", "(4 GiB); it must fit"),
    (LARGE, "swiotlb=2097152", "swiotlb=786432", "must fit below 2 GiB"),
    (EXACTLY, "swiotlb=2097152", "swiotlb=262144", "must fit below 2 GiB"),
    (AT_LEAST, "swiotlb=2097152 swiotlb=512M", "swiotlb=262144", "512 blocks"),
    (AT_LEAST, "-- swiotlb=262144", "swiotlb=262144 -- swiotlb=262144", "default"),
    (AT_LEAST, "xswiotlb=9", "xswiotlb=9 swiotlb=262144", "default"),
    # Kernels since 6.0 would round it up far enough, older ones would not.
    (AT_LEAST, "swiotlb=200000", "swiotlb=262144", "200064 blocks"),
    (EXACTLY, "swiotlb=262144,4", None, "512 MiB"),
    (EXACTLY, "swiotlb=262143", None, "262144 blocks"),
    (
        EXACTLY,
        "swiotlb=524288,4",
        "swiotlb=262144,4",
        "(1 GiB); the profile requires exactly 512 MiB",
    ),
    (SMALL, "a", None, "64 MiB"),
    (SMALL, "swiotlb=noforce", "swiotlb=32768", "noforce leaves"),
    (ABSENT, "a -- swiotlb=1", None, "not set"),
    (ABSENT, "a swiotlb=1 b swiotlb", "a b", "swiotlb=1 and swiotlb are set"),
]


@pytest.mark.parametrize(("requirement", "text", "expected", "reason"), CASES)
def test_judged_and_fulfilled_as_the_kernel_reads_it(
    requirement: SwiotlbSizeRequirement | AbsentRequirement,
    text: str,
    expected: str | None,
    reason: str,
) -> None:
    line = CommandLine.parse(text)
    judgement = requirement.judge(line)

    assert reason in judgement.reason
    assert judgement.met is (expected is None)
    assert requirement.fulfil(line).text == (text if expected is None else expected)


def test_described_in_bytes_and_in_blocks() -> None:
    assert AT_LEAST.describe() == "swiotlb at least 512 MiB (262144 blocks of 2 KiB)"
    assert ABSENT.describe() == "swiotlb absent"


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (65535, "a bounce buffer of 131070 KiB is small"),
        (65536, None),
        (300000, "kernels since 6.0 round 600000 KiB up to 1 GiB"),
        (262144, None),
        (524288, None),
        (524289, "fall back to 1 GiB"),
    ],
)
def test_warnings(blocks: int, words: str | None) -> None:
    requirement = SwiotlbSizeRequirement("swiotlb", Location("x"), Bound.AT_LEAST, blocks)
    caution = requirement.warning()

    assert (words is None) is (caution is None)
    if caution is not None and words is not None:
        assert words in caution.message
        assert caution.hint
