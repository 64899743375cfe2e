"""Sizes in a profile: ``512 MiB``, ``1 GiB``, ``262144 blocks``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.kernel.swiotlb import BLOCK_BYTES, size_text

if TYPE_CHECKING:
    from secboot.profile.nodes import Scalar
    from secboot.profile.problems import Problems

SIZE_PATTERN = r"^[1-9][0-9]{0,9} ?(KiB|MiB|GiB|blocks?)$"
"""A whole number and a unit; also the pattern in the JSON Schema."""

_FACTORS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "block": BLOCK_BYTES, "blocks": BLOCK_BYTES}  # fmt: skip
_ALMOST = r"([0-9][0-9_., ]*?)\s*([A-Za-z]*)"
_EXAMPLE = "write a size like '512 MiB' or '262144 blocks'"


def read_blocks(scalar: Scalar, problems: Problems) -> int | None:
    """Read a size as a number of blocks of 2 KiB, or note what is wrong and give None.

    A number alone is refused: the kernel would count blocks where people think of megabytes.
    So are units of 1000, which nothing here is made of.
    """
    text = scalar.text
    if re.match(SIZE_PATTERN, text) is None:
        problems.error("size", f"{text!r} is not a size", scalar.location, _intent(text))
        return None
    number, unit = re.split(r"(?<=[0-9]) ?(?=[A-Za-z])", text)
    size = int(number) * _FACTORS[unit]
    if size % BLOCK_BYTES:
        problems.error(
            "size-blocks",
            f"{text} is not a whole number of blocks of 2 KiB",
            scalar.location,
            f"the next larger size is {size // BLOCK_BYTES + 1} blocks",
        )
        return None
    return size // BLOCK_BYTES


def _intent(text: str) -> str:
    match = re.fullmatch(_ALMOST, text)
    if match is None:
        return _EXAMPLE
    digits, unit = match[1].replace("_", ""), match[2]
    if digits.isdigit():
        return _intended_unit(int(digits), unit)
    if re.fullmatch(r"[0-9]+\.[0-9]+", digits) and unit == "GiB":
        return f"write '{round(float(digits) * 1024)} MiB': sizes are whole numbers"
    return _EXAMPLE


def _intended_unit(number: int, unit: str) -> str:
    if not number:
        return "the smallest size is '1 block'; `absent: true` is no size at all"
    if not unit:
        blocks = f"'{number} blocks' are {size_text(number)}"
        other = f", '{number} MiB' is the other thing it could mean" if number < 4096 else ""
        return f"say what it counts: {blocks}{other}"
    if unit.lower() in {"k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib"}:
        return f"write '{number} {unit[0].upper()}iB'"
    return _EXAMPLE
