"""What a profile says of one parameter, before it is known what that means for it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.errors import Location
    from secboot.profile.nodes import Scalar
    from secboot.profile.problems import Problems

_NULLS = frozenset({"", "~", "null"})
_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_ODD_NUMBER = re.compile(
    r"[-+]?(?:0[0-9]+|0[xob][0-9a-f_]+|[0-9][0-9_]*_[0-9_]*|[0-9][0-9_]*(?::[0-5]?[0-9])+"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)e[-+]?[0-9]+|\.inf|\.nan)",
    re.IGNORECASE,
)


class Operator(StrEnum):
    """How the values of a wish are meant; the names are keys in the profile."""

    EXACTLY = "exactly"
    AT_LEAST = "at_least"
    INCLUDES = "includes"
    PRESENT = "present"
    ABSENT = "absent"


class Wish(NamedTuple):
    """One parameter of a profile, named at `location`.

    `values` is empty for PRESENT and ABSENT, has one or more for INCLUDES, else exactly one.
    """

    name: str
    operator: Operator
    values: tuple[Scalar, ...]
    location: Location


def is_null(scalar: Scalar) -> bool:
    """Tell whether YAML takes this for no value at all: nothing, ``~``, ``null``."""
    return scalar.plain and scalar.text.lower() in _NULLS


def is_boolean(scalar: Scalar) -> bool:
    """Tell whether some version of YAML takes this for a truth value: ``on``, ``y``, ``true``."""
    return scalar.plain and scalar.text.lower() in _BOOLEANS


def unambiguous_text(scalar: Scalar, problems: Problems, *, instead: str) -> str | None:
    """The text of a scalar, or None and an error if YAML could take it for something else.

    `instead` is what to do in place of a truth value or nothing, for the hint.
    """
    if is_null(scalar):
        problems.error("no-value", "there is no value", scalar.location, instead)
    elif is_boolean(scalar):
        problems.error(
            "truth-value",
            f"{scalar.text} without quotes is a truth value in YAML, not a text",
            scalar.location,
            instead,
        )
    elif scalar.plain and _ODD_NUMBER.fullmatch(scalar.text):
        problems.error(
            "odd-number",
            f"{scalar.text} is a number to YAML, with a value that depends on its version",
            scalar.location,
            f"write the number in plain decimal digits, or '{scalar.text}' in quotes if the "
            "kernel shall get this text",
        )
    else:
        return scalar.text
    return None
