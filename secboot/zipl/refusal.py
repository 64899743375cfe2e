"""What zipl refuses, as it says it, and what it accepts although nobody would want it."""

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
"""Problems that are not in the text: an image tree may get its kernel after its boot entries."""


OF_NO_ENTRY = frozenset({"zipl.automenu-empty", "zipl.menu-empty"})
"""Problems that only say that there is no boot entry."""


class Refusal(NamedTuple):
    """One violation of zipl's rules, for which it refuses the whole configuration.

    The finding's message is worded as zipl words it, without its ``Line N:``, and its location is
    where it really is; `zipl_line` is the line that zipl would name: 0 for anything from a BLS
    entry, None where it names no line.
    """

    finding: Finding
    zipl_line: int | None = None

    @property
    def zipl_message(self) -> str:
        """The message as zipl prints it, without the file's name before it."""
        message = self.finding.message
        return message if self.zipl_line is None else f"Line {self.zipl_line}: {message}"


class Findings:
    """Collects refusals and warnings in order, each one only once."""

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
        """Note something that zipl refuses; what it copies elsewhere is still one error."""
        finding = Finding(f"zipl.{code}", Severity.ERROR, message, location, hint)
        self._refusals.setdefault(finding, Refusal(finding, zipl_line))

    def error_at(self, code: str, message: str, token: Token, hint: str | None = None) -> None:
        """Note something that zipl refuses and for which it names the line of a token."""
        self.error(code, message, token.location, token.line, hint)

    def warn(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Note something that zipl accepts."""
        self._warnings.setdefault(
            Finding(f"zipl.{code}", Severity.WARNING, message, location, hint)
        )

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Every refusal noted so far, in order."""
        return tuple(self._refusals.values())

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Every warning noted so far, in order."""
        return tuple(self._warnings)
