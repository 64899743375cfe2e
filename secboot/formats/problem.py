"""What a reader refuses in a text, as data: a total parser reports it instead of raising."""

from __future__ import annotations

from secboot.errors import Location, ParseError
from secboot.named_tuple import NamedTuple


class SyntaxProblem(NamedTuple):
    """One violation of a format's rules.

    `message` is worded as the program words it that reads the file for real; `line` and
    `column` count from 1, columns in characters. `code` is stable and names the rule.
    """

    code: str
    message: str
    line: int
    column: int | None = None

    def location(self, path: str) -> Location:
        """Return the place in the file `path`."""
        return Location(path, self.line, self.column)

    def error(self, path: str) -> ParseError:
        """Return the problem as an error that names the place in the file `path`."""
        return ParseError(self.message, location=self.location(path))
