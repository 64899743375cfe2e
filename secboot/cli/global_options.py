"""The options that are allowed on either side of the verb: those on output, which all verbs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETION = "_SECBOOT_COMPLETE"
"""The variable with which a shell asks for completions (Typer names it after the program)."""
WHEN = ("auto", "always", "never")
_COLOR = ("--color", "--colour")
_QUIET = ("-q", "--quiet")
_VERBOSE = ("-v", "--verbose")
_DEBUG = "--debug"


class GlobalOptions(NamedTuple):
    """How secboot reports: `colour` is one of `WHEN`, `quiet` omits text reports and progress.

    With `verbose`, nothing is left out of text reports.
    """

    colour: str = "auto"
    quiet: bool = False
    verbose: bool = False
    debug: bool = False


def taken_from(words: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """Return the global options of a command line, and the remaining words.

    Words after ``--`` are not options. Raises UsageError for an invalid value of ``--color``.
    """
    options, left = GlobalOptions(), []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            left += [word, *rest]
        elif word in _QUIET:
            options = options._replace(quiet=True)
        elif word in _VERBOSE:
            options = options._replace(verbose=True)
        elif word == _DEBUG:
            options = options._replace(debug=True)
        elif name in _COLOR:
            options = options._replace(colour=_colour(value if equals else next(rest, "")))
        else:
            left.append(word)
    return options, left


def _colour(value: str) -> str:
    if value not in WHEN:
        raise UsageError(f"--color must be {', '.join(WHEN[:-1])} or {WHEN[-1]}, not '{value}'")
    return value
