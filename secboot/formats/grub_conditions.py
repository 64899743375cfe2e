"""Evaluates GRUB's ``[ ... ]``.

The operators are those of grub-core/commands/test.c. A condition is true, false, or None (unknown).
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
_TIMES = frozenset({"-nt", "-ot"})
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
    """Return the path of a file in the tree, without GRUB's device name."""
    return _DEVICE.sub("", value, count=1) if value.startswith("(") else value


def evaluate(arguments: Sequence[Value], files: Files) -> bool | None:
    """Evaluate the words between the brackets, in the order in which GRUB reads them.

    Adjacent conditions must all be true, with or without ``-a``; no condition at all is true.
    """
    left = list(arguments)
    any_before: bool | None = False
    all_so_far: bool | None = True
    inverted = False
    while left:
        word = left[0]
        if not isinstance(word, Unknown) and not _takes_two(left) and word in {"!", "-a", "-o"}:
            del left[0]
            if word == "!":
                inverted = not inverted
            elif word == "-o":
                any_before, all_so_far = _or(any_before, all_so_far), True
            continue
        held = _next(left, files)
        all_so_far = _not(_or(_not(all_so_far), _not(_not(held) if inverted else held)))
        inverted = False
    return _or(any_before, all_so_far)


def _or(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False


def _not(one: bool | None) -> bool | None:
    return None if one is None else not one


def _takes_two(left: list[Value]) -> bool:
    """Whether the first word, whatever it is, is compared with another."""
    return len(left) > 2 and (left[1] in _TEXTS or left[1] in _NUMBERS or left[1] in _TIMES)


def _next(left: list[Value], files: Files) -> bool | None:
    """Evaluate the next condition, and remove its words from the list."""
    if _takes_two(left):
        one, operator, other = left[:3]
        del left[:3]
        return _compared(one, str(operator), other)
    first = left.pop(0)
    if left and first in {"-n", "-z", "-f", "-e", "-s", "-d"}:
        return _of_one(str(first), left.pop(0), files)
    if first in {"(", ")"}:
        left.clear()
        return None
    if isinstance(first, Unknown):
        return True if first.head.isalnum() else None
    return bool(first)


def _compared(one: Value, operator: str, other: Value) -> bool | None:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return None
    if operator in _TEXTS:
        return _TEXTS[operator](one, other)
    numbers = _number(one), _number(other)
    if operator in _TIMES or numbers[0] is None or numbers[1] is None:
        return None
    return _NUMBERS[operator](numbers[0], numbers[1])


def _number(text: str) -> int | None:
    """Return a number as GRUB reads it (grub_strtol); None for the unusual forms it also accepts."""
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    return int(text) if _DECIMAL.fullmatch(text) else None


# GRUB is inconsistent about a number that is too large.
_OCTAL = re.compile(r"0[0-7]{1,17}")
_DECIMAL = re.compile(r"0?[0-9]{1,17}")


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
