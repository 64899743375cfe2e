"""What a profile's YAML consists of, each part with its place, and what is wrong with it.

It is a small, strict part of the language: only mappings, sequences and scalars are taken.
Anchors, aliases, merge keys, tags, directives and further documents are refused: none of them says
anything that a profile needs, and each lets a file mean something else than it seems to. Scalars
stay text, as written: no YAML version gets to decide whether ``on`` is a truth value or ``0100`` a
number.

Problems are collected while a profile is read, so that one run reports all of them.
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


class Scalar(NamedTuple):
    """A piece of text; `plain` if it had no quotes, and so is open to interpretation."""

    text: str
    plain: bool
    location: Location


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    location: Location


class Mapping(NamedTuple):
    """Keys, each one once, and what they hold, in the order of the text."""

    items: tuple[tuple[Scalar, Node], ...]
    location: Location


Node = Scalar | Sequence | Mapping


class ProfileError(ParseError):
    """A profile that can't be used, with every reason why, in the order of its text.

    `quotes` are for each of the reasons the line that it is about, "" for none.
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
    """Collects what is wrong with the files that one profile is made of."""

    def __init__(self) -> None:
        self._errors: list[tuple[Location, Finding]] = []

    def error(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Note something that makes the profile unusable."""
        finding = Finding(f"profile.{code}", Severity.ERROR, message, location, hint)
        self._errors.append((location, finding))

    @property
    def found(self) -> bool:
        """Whether there is an error so far."""
        return bool(self._errors)

    def require_none(self, quote: Callable[[Location], str] = lambda _: "") -> None:
        """Raise ProfileError with all errors so far, if there are any.

        `quote` gives the line at a location, and a caret below it; "" for none.
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
    """One problem among several, indented."""
    below = [*quote.splitlines(), *(problem.hint or "").splitlines()]
    return "\n".join([f"  {problem.location}: {problem.message}", *(f"    {e}" for e in below)])


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
    elif scalar.plain and re.fullmatch(_ODD_NUMBER, scalar.text):
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
