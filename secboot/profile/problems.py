"""Problems of a profile: collected while it is read, so that one run reports all of them."""

from __future__ import annotations

from secboot.errors import Location, ParseError
from secboot.named_tuple import NamedTuple


class ProfileProblem(NamedTuple):
    """One thing that is wrong, or a warning: what, where, and what was probably meant."""

    message: str
    location: Location
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.location}: {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text


class ProfileError(ParseError):
    """A profile that can't be used, with every reason why, in the order of its text."""

    def __init__(self, problems: tuple[ProfileProblem, ...]) -> None:
        self.problems = problems
        if len(problems) == 1:
            only = problems[0]
            super().__init__(only.message, location=only.location, hint=only.hint)
            return
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{len(problems)} problems in the profile:\n{lines}")


class Problems:
    """Collects what is wrong with the files that one profile is made of."""

    def __init__(self) -> None:
        self._errors: list[ProfileProblem] = []

    def error(self, message: str, location: Location, hint: str | None = None) -> None:
        """Note something that makes the profile unusable."""
        self._errors.append(ProfileProblem(message, location, hint))

    def require_none(self) -> None:
        """Raise ProfileError with all errors so far, if there are any."""
        if self._errors:
            # The files keep their order (a site file before what it extends).
            paths = list(dict.fromkeys(each.location.path for each in self._errors))
            raise ProfileError(
                tuple(
                    sorted(
                        self._errors,
                        key=lambda each: (
                            paths.index(each.location.path),
                            each.location.line or 0,
                            each.location.column or 0,
                        ),
                    )
                )
            )
