"""Showing what a command does while it takes long: one line on standard error, if that is a terminal.

Nothing is shown for JSON and other output for programs: who reads that may read standard error, too.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.cli.display import NO_DISPLAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from secboot.cli.display import Display

_ONE_WAY = frozenset({"", "dumb", "unknown", "ibm327x"})
"""Values of TERM for terminals on which a line can't be written anew (line-mode consoles of IBM Z)."""


@contextmanager
def progress_shown(*, wanted: bool) -> Iterator[Display]:
    """Show what is told to the display inside the context, if it is `wanted` and can be.

    At the end of the context the line is gone, and the cursor where it was.
    """
    if not (wanted and can_show(sys.stderr, os.environ)):
        yield NO_DISPLAY
        return
    from secboot.cli.progress_line import ProgressLine, Screen

    with ProgressLine(Screen(sys.stderr.fileno())) as line:
        yield line


def can_show(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Tell whether a line on `stream`, which is None when closed, can be written anew."""
    return stream is not None and environ.get("TERM", "") not in _ONE_WAY and stream.isatty()
