"""The nodes of a profile's YAML, each with its location, and the problems found in it.

Profiles use a small, strict subset of YAML: only mappings, sequences and scalars. Anchors, aliases,
merge keys, tags, directives and further documents are refused: a profile needs none of them, and with
each of them a file can mean something other than it seems to. Scalars stay strings, as written: no
YAML version decides whether ``on`` is a boolean or ``0100`` a number.

Problems are collected while a profile is read, so one run reports all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError
from secboot.finding import Finding, Severity
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_NULLS = frozenset({"", "~", "null"})
_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_ODD_NUMBER = (
    r"(?i:[-+]?(?:0[0-9]+|0[xob][0-9a-f_]+|[0-9][0-9_]*_[0-9_]*|[0-9][0-9_]*(?::[0-5]?[0-9])+"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)e[-+]?[0-9]+|\.inf|\.nan))"
)
_OF_ODD_NUMBERS = frozenset("0123456789abcdefinox_:.+-")
"""The characters that an odd number can have; most scalars have others, and then need no pattern."""


class Scalar(NamedTuple):
    """A string; `plain` if it has no quotes, so that YAML could read it as something else."""

    text: str
    plain: bool
    location: Location


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    location: Location


class Mapping(NamedTuple):
    """Keys, each at most once, and their values, in the order of the text."""

    items: tuple[tuple[Scalar, Node], ...]
    location: Location


Node = Scalar | Sequence | Mapping


class ProfileError(ParseError):
    """A profile that cannot be used, with all problems, in the order of the text.

    `quotes` has for each problem the line that it is about, or "".
    """

    def __init__(self, problems: tuple[Finding, ...], quotes: tuple[str, ...] = ()) -> None:
        self.problems = problems
        self.quotes = quotes or ("",) * len(problems)
        if len(problems) == 1:
            only = problems[0]
            super().__init__(only.message, location=only.location, hint=only.hint)
            self.quote = self.quotes[0]
            return
        lines = "\n".join(map(_lines, problems, self.quotes))
        super().__init__(f"{len(problems)} problems in the profile:\n{lines}")


class Problems:
    """Collects what is wrong with the files of one profile."""

    def __init__(self) -> None:
        self._errors: list[tuple[Location, Finding]] = []

    def error(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Add something that makes the profile unusable."""
        finding = Finding(f"profile.{code}", Severity.ERROR, message, location, hint)
        self._errors.append((location, finding))

    @property
    def found(self) -> bool:
        """Whether there is an error so far."""
        return bool(self._errors)

    def require_none(self, quote: Callable[[Location], str] = lambda _: "") -> None:
        """Raise ProfileError with all errors so far, if there are any.

        `quote` returns the line at a location with a caret below it, or "".
        """
        if not self._errors:
            return
        # The files keep their order (a site file before what it extends).
        paths = list(dict.fromkeys(location.path for location, _ in self._errors))
        self._errors.sort(
            key=lambda each: (paths.index(each[0].path), each[0].line or 0, each[0].column or 0)
        )
        quotes = tuple(quote(location) for location, _ in self._errors)
        raise ProfileError(tuple(finding for _, finding in self._errors), quotes)


def _lines(problem: Finding, quote: str) -> str:
    """Return one of several problems, indented."""
    below = [*quote.splitlines(), *(problem.hint or "").splitlines()]
    return "\n".join([f"  {problem.location}: {problem.message}", *(f"    {e}" for e in below)])


def is_null(scalar: Scalar) -> bool:
    """Tell whether YAML reads this as no value: empty, ``~``, ``null``."""
    return scalar.plain and scalar.text.lower() in _NULLS


def is_boolean(scalar: Scalar) -> bool:
    """Tell whether some version of YAML reads this as a boolean: ``on``, ``y``, ``true``."""
    return scalar.plain and scalar.text.lower() in _BOOLEANS


def _is_odd_number(text: str) -> bool:
    may_be = _OF_ODD_NUMBERS.issuperset(text.lower())
    return may_be and re.fullmatch(_ODD_NUMBER, text) is not None


def unambiguous_text(scalar: Scalar, problems: Problems, *, instead: str) -> str | None:
    """Return the text of a scalar, or report an error and return None if YAML could read it otherwise.

    `instead` is the hint: what to write in place of a boolean or a missing value.
    """
    if is_null(scalar):
        problems.error("no-value", "the value is missing", scalar.location, instead)
    elif is_boolean(scalar):
        problems.error(
            "truth-value",
            f"unquoted {scalar.text} is a boolean in YAML, not a string",
            scalar.location,
            instead,
        )
    elif scalar.plain and _is_odd_number(scalar.text):
        problems.error(
            "odd-number",
            f"unquoted {scalar.text} is a number in YAML, whose value depends on the YAML version",
            scalar.location,
            f"write the number in plain decimal digits, or write '{scalar.text}' in quotes to pass "
            "it literally",
        )
    else:
        return scalar.text
    return None
