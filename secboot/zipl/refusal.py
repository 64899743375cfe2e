"""What zipl refuses, in its own words, and warnings about what it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.errors import Location
    from secboot.zipl.scan import Token


ABOUT_OTHER_FILES = frozenset(
    f"zipl.{name}"
    for name in (
        "device",
        "file",
        "image",
        "image-small",
        "load-address",
        "image-empty",
        "parmfile",
        "ramdisk",
        "ramdisk-empty",
        "target-directory",
    )
)
"""Problems outside the text: an image tree may get its kernel after its boot entries."""


OF_NO_ENTRY = frozenset({"zipl.automenu-empty", "zipl.menu-empty"})
"""Problems that only mean that no boot entry exists."""


class Refusal(NamedTuple):
    """One violation of zipl's rules; zipl then refuses the whole configuration.

    The finding's message is worded as in zipl, without ``Line N:``, and its location is the real
    one; `zipl_line` is the line that zipl would name: 0 for anything from a BLS entry, None if
    zipl does not name a line.
    """

    finding: Finding
    zipl_line: int | None = None

    @property
    def zipl_message(self) -> str:
        """The message as zipl prints it, without the file name before it."""
        message = self.finding.message
        return message if self.zipl_line is None else f"Line {self.zipl_line}: {message}"


class Findings:
    """Collects refusals and warnings in order, each of them once."""

    def __init__(self) -> None:
        self._refusals: dict[Finding, Refusal] = {}
        self._warnings: dict[Finding, None] = {}

    def error(
        self,
        code: str,
        message: str,
        location: Location,
        zipl_line: int | None = None,
        hint: str | None = None,
    ) -> None:
        """Record a refusal; text that zipl copies to several places is still one error."""
        finding = Finding(f"zipl.{code}", Severity.ERROR, message, location, hint)
        self._refusals.setdefault(finding, Refusal(finding, zipl_line))

    def error_at(self, code: str, message: str, token: Token, hint: str | None = None) -> None:
        """Record a refusal for which zipl names the line of a token."""
        self.error(code, message, token.location, token.line, hint)

    def warn(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Record a warning about something that zipl accepts."""
        self._warnings.setdefault(
            Finding(f"zipl.{code}", Severity.WARNING, message, location, hint)
        )

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The refusals so far, in order."""
        return tuple(self._refusals.values())

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings so far, in order."""
        return tuple(self._warnings)
