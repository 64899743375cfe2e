"""Writing reports to standard output, and errors to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from secboot.cli.options import Format
from secboot.errors import Location, RefusedError, SecbootError
from secboot.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secboot.report.style import Style


def print_text(text: str) -> None:
    """Write text that ends with its newline."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document; anything but ASCII is escaped, so that every byte survives."""
    import json

    print_text(json.dumps(document, indent=2) + "\n")


def print_report(
    output: Format, document: Callable[[], dict[str, Any]], text: Callable[[Style], str]
) -> None:
    """Write what was found for whom it is meant."""
    if output == "json":
        print_json(document())
    else:
        print_text(text(style()))


def print_error(error: SecbootError) -> None:
    """Report an error on standard error: what, where, and below it what to do."""
    print_message(f"secboot: error: {visible_lines(str(error))}")
    if error.hint:
        print_message("\n".join(f"  {line}" for line in visible_lines(error.hint).split("\n")))


def print_message(text: str) -> None:
    """Write lines to standard error; the text has to be safe to show."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line talks to people


def file_error(path: Path, message: str) -> RefusedError:
    """Return the error about a file that the user named."""
    return RefusedError(message, location=Location(visible(str(path))))


def style() -> Style:
    """Return the style for standard output."""
    import os

    from secboot.report.style import style_for

    return style_for(sys.stdout, os.environ)
