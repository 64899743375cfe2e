"""What GRUB's ``[ ... ]`` makes of values.

The operators are those of grub-core/commands/test.c. A condition is true, false, or None: not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.grub_variables import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from secboot.formats.grub_variables import Files, Value


_DEVICE = re.compile(r"\([^)]*\)")
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def path_of(value: str) -> str:
    """Return a file's path in the tree, without GRUB's name of the device."""
    return _DEVICE.sub("", value, count=1) if value.startswith("(") else value


def evaluate(arguments: Sequence[Value], files: Files) -> bool | None:
    """Judge what stands between the brackets."""
    left = list(arguments)
    if not left:
        return True
    result = _either(left, files)
    return None if left else result


def _either(left: list[Value], files: Files) -> bool | None:
    result = _both(left, files)
    while left and left[0] == "-o":
        del left[0]
        other = _both(left, files)
        result = _or(result, other)
    return result


def _both(left: list[Value], files: Files) -> bool | None:
    result = _one(left, files)
    while left and left[0] == "-a":
        del left[0]
        result = _not(_or(_not(result), _not(_one(left, files))))
    return result


def _or(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False


def _not(one: bool | None) -> bool | None:
    return None if one is None else not one


def _one(left: list[Value], files: Files) -> bool | None:
    if not left:
        return False
    first = left.pop(0)
    if first == "!":
        return _not(_one(left, files))
    if first == "(":
        inner = _either(left, files)
        return inner if left and left.pop(0) == ")" else None
    if left and isinstance(left[0], str) and (left[0] in _TEXTS or left[0] in _NUMBERS):
        operator = left[0]
        other = left[1] if len(left) > 1 else ""
        del left[:2]
        return _compared(first, operator, other)
    if first in {"-n", "-z", "-f", "-e", "-s", "-d"} and left:
        return _of_one(str(first), left.pop(0), files)
    return bool(first) if isinstance(first, str) else (True if first.head else None)


def _compared(one: Value, operator: str, other: Value) -> bool | None:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return None
    if operator in _TEXTS:
        return _TEXTS[operator](one, other)
    if not one.isdecimal() or not other.isdecimal():
        return None
    return _NUMBERS[operator](int(one), int(other))


def _of_one(operator: str, value: Value, files: Files) -> bool | None:
    if isinstance(value, Unknown):
        return (operator == "-n") if value.head and operator in "-n-z" else None
    if operator in {"-n", "-z"}:
        return bool(value) == (operator == "-n")
    path = path_of(value)
    if path not in files:
        return None
    text = files[path]
    if text is None:
        return False
    return {"-d": False, "-s": bool(text)}.get(operator, True)
