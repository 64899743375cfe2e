"""Sizes as a profile writes them: a whole number and a unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.profile.nodes import Problems, Scalar

BINARY = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
"""Bytes of each unit. Units of 1000 are not accepted: no size here is a multiple of them."""
_ALMOST = r"([0-9][0-9_., ]*?)\s*([A-Za-z]*)"
_MOST_DIGITS = 10
_LOOKED_AT = 40
"""Characters; a longer text is not an intended size."""
_MEANT = {"k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib"}
MEMORY_UNITS = {**BINARY, "TiB": 1 << 40}
MEMORY_EXAMPLE = "write a size like '4 GiB'"


def size_pattern(units: str) -> str:
    """Return the pattern of a size, also for the JSON Schema; `units` are alternatives."""
    return rf"^[1-9][0-9]{{0,{_MOST_DIGITS - 1}}} ?({units})$"


def whole_numbers(most: int, *, even: bool = False) -> str:
    """Return a pattern of the whole numbers from 1 to `most`, or of the even ones from 2 on.

    It is for the JSON Schema, in which a string can only be compared with a pattern.
    """
    first, last = "[1-9]", "[02468]" if even else "[0-9]"
    digits = str(most)
    ways = ["[2468]" if even else first] if len(digits) > 1 else []
    ways += [first + "[0-9]" * more + last for more in range(len(digits) - 2)]
    for at, digit in enumerate(digits[:-1]):
        lower = "".join(map(str, range(0 if at else 1, int(digit))))
        if lower:
            ways.append(f"{digits[:at]}[{lower}]{'[0-9]' * (len(digits) - at - 2)}{last}")
    ways += [
        f"{most - down}"
        for down in range(int(digits[-1]) + 1)
        if down < most and not (even and down % 2)
    ]
    return f"({'|'.join(ways)})"


MEMORY_PATTERN = size_pattern("|".join(MEMORY_UNITS))


def read_size(
    scalar: Scalar,
    pattern: str,
    units: Mapping[str, int],
    intent: Callable[[str], str],
    problems: Problems,
) -> int | None:
    """Read a size in bytes, or report what is wrong and what was probably meant, and return None."""
    text = scalar.text
    if re.fullmatch(pattern, text) is None:
        shown = text if len(text) <= _LOOKED_AT else f"{text[:_LOOKED_AT]}..."
        problems.error("size", f"{shown!r} is not a size", scalar.location, intent(shown))
        return None
    number, unit = re.split(r"(?<=[0-9]) ?(?=[A-Za-z])", text)
    return int(number) * units[unit]


def intended(text: str, example: str, of_number: Callable[[int], str]) -> str:
    """Return a hint with what was probably meant; `of_number` does so for a number without a unit."""
    match = re.fullmatch(_ALMOST, text)
    if match is None:
        return example
    digits, unit = match[1].replace("_", ""), match[2]
    if len(digits) > _MOST_DIGITS:
        return example
    if digits.isdigit() and int(digits) and not unit:
        return of_number(int(digits))
    if digits.isdigit() and int(digits) and unit.lower() in _MEANT:
        return f"write '{int(digits)} {unit[0].upper()}iB'"
    if re.fullmatch(r"[0-9]+\.[0-9]+", digits) and unit == "GiB":
        return f"write '{round(float(digits) * 1024)} MiB': sizes are whole numbers"
    return example


def memory_intent(text: str) -> str:
    """Return a hint with what was probably meant by a memory size."""
    return intended(
        text, MEMORY_EXAMPLE, lambda number: f"add a unit: '{number} MiB' or '{number} GiB'"
    )
