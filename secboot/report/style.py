"""Colour for people: only on a terminal, and never when NO_COLOR is set (https://no-color.org)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_RESET = "\x1b[0m"


class Style(NamedTuple):
    """How text is marked; without `colour` every method returns its text as it is."""

    colour: bool

    def bold(self, text: str) -> str:
        """Mark a heading."""
        return self._mark("\x1b[1m", text)

    def faint(self, text: str) -> str:
        """Mark what matters less."""
        return self._mark("\x1b[2m", text)

    def green(self, text: str) -> str:
        """Mark what is added or good."""
        return self._mark("\x1b[32m", text)

    def yellow(self, text: str) -> str:
        """Mark what changes, or a warning."""
        return self._mark("\x1b[33m", text)

    def red(self, text: str) -> str:
        """Mark what is removed, or an error."""
        return self._mark("\x1b[31m", text)

    def _mark(self, start: str, text: str) -> str:
        return f"{start}{text}{_RESET}" if self.colour and text else text


PLAIN = Style(colour=False)


def style_for(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """Return the style that fits `stream`: colour on a terminal unless the environment objects."""
    wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Style(colour=wanted and stream.isatty())
