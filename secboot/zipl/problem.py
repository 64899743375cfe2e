"""What zipl refuses, and what it accepts although nobody would want it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.errors import Location


class Severity(StrEnum):
    """Whether zipl refuses the whole configuration, or goes on."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """One violation of zipl's rules, or one thing to warn of.

    An error's `message` is worded as zipl words it, without its ``Line N:``. `location` is
    where it really is; `zipl_line` is the line that zipl would name: 0 for anything from a
    BLS entry, None where it names no line. `code` is stable and names the rule.
    """

    severity: Severity
    code: str
    message: str
    location: Location
    zipl_line: int | None = None
    hint: str | None = None

    @property
    def zipl_message(self) -> str:
        """The message as zipl prints it, without the file's name before it."""
        return self.message if self.zipl_line is None else f"Line {self.zipl_line}: {self.message}"


class Findings:
    """Collects problems in order, each one only once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def error(
        self, code: str, message: str, location: Location, zipl_line: int | None = None
    ) -> None:
        """Note something that zipl refuses."""
        self._add(Problem(Severity.ERROR, f"zipl.{code}", message, location, zipl_line))

    def warn(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Note something that zipl accepts."""
        self._add(Problem(Severity.WARNING, f"zipl.{code}", message, location, hint=hint))

    def _add(self, problem: Problem) -> None:
        self._problems.setdefault(problem)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted so far, in order."""
        return tuple(self._problems)
