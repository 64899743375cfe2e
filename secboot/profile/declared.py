"""The file in which an administrator, or an image build, names the active profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, UsageError
from secboot.formats.text import split_lines
from secboot.named_tuple import NamedTuple
from secboot.profile.search import is_path

if TYPE_CHECKING:
    from typing import Self

DECLARED = "/etc/secboot/profile"
"""Contains one profile name; blank lines and lines that start with ``#`` are ignored."""
LIMIT = 2**16
"""Bytes; a real one has a line or two."""


class DeclaredProfile(NamedTuple):
    """The lines of the file, with their line ends."""

    lines: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, path: str = DECLARED) -> Self:
        """Read any text; `path` is there because all parsers have it."""
        del path
        return cls(tuple(split_lines(text)))

    def render(self) -> str:
        """Return the text of the file."""
        return "".join(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, as written."""
        words = (line.strip() for line in self.lines)
        return tuple(word for word in words if word and not word.startswith("#"))

    def name(self, shown: str = DECLARED) -> str:
        """Return the one name. Raises UsageError for none, several, or a path in the file `shown`."""
        if len(self.names) != 1 or is_path(self.names[0]):
            raise UsageError(
                "this file must contain exactly one profile name",
                location=Location(shown),
                hint="`secboot profile list` lists the names",
            )
        return self.names[0]

    def with_name(self, name: str) -> Self:
        """Return the file with this name in place of the current one, or at the end."""
        found = self.names[0] if self.names else None
        if found is None:
            ended = not self.lines or self.lines[-1].endswith("\n")
            return self._replace(lines=(*self.lines, *([] if ended else ["\n"]), f"{name}\n"))
        return self._replace(
            lines=tuple(
                line.replace(found, name) if line.strip() == found else line for line in self.lines
            )
        )
