"""The options that stand on either side of the verb: they are about output, and all verbs have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETION = "_SECBOOT_COMPLETE"
"""Set by a shell that asks for completions (Typer names it after the program)."""
WHEN = ("auto", "always", "never")
_COLOR = ("--color", "--colour")
_QUIET = ("-q", "--quiet")
_VERBOSE = ("-v", "--verbose")
_DEBUG = "--debug"


class GlobalOptions(NamedTuple):
    """How secboot speaks: `colour` is one of `WHEN`, `quiet` leaves out reports for people.

    `verbose` leaves nothing out of them.
    """

    colour: str = "auto"
    quiet: bool = False
    verbose: bool = False
    debug: bool = False


def taken_from(words: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """Return the global options of a command line, and the words that are left.

    What follows ``--`` is no option. Raises UsageError for a colour that there is not.
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
        raise UsageError(f"--color takes {', '.join(WHEN[:-1])} or {WHEN[-1]}, not '{value}'")
    return value
