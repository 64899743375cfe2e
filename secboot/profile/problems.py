"""Problems of a profile: collected while it is read, so that one run reports all of them."""

from __future__ import annotations

from secboot.errors import Location, ParseError
from secboot.finding import Finding, Severity


class ProfileError(ParseError):
    """A profile that can't be used, with every reason why, in the order of its text."""

    def __init__(self, problems: tuple[Finding, ...]) -> None:
        self.problems = problems
        if len(problems) == 1:
            only = problems[0]
            super().__init__(only.message, location=only.location, hint=only.hint)
            return
        lines = "\n".join(f"  {_line(problem)}" for problem in problems)
        super().__init__(f"{len(problems)} problems in the profile:\n{lines}")


class Problems:
    """Collects what is wrong with the files that one profile is made of."""

    def __init__(self) -> None:
        self._errors: list[tuple[Location, Finding]] = []

    def error(self, code: str, message: str, location: Location, hint: str | None = None) -> None:
        """Note something that makes the profile unusable."""
        finding = Finding(f"profile.{code}", Severity.ERROR, message, location, hint)
        self._errors.append((location, finding))

    def require_none(self) -> None:
        """Raise ProfileError with all errors so far, if there are any."""
        if not self._errors:
            return
        # The files keep their order (a site file before what it extends).
        paths = list(dict.fromkeys(location.path for location, _ in self._errors))
        self._errors.sort(
            key=lambda each: (paths.index(each[0].path), each[0].line or 0, each[0].column or 0)
        )
        raise ProfileError(tuple(finding for _, finding in self._errors))


def _line(problem: Finding) -> str:
    text = f"{problem.location}: {problem.message}"
    return f"{text}\n    {problem.hint}" if problem.hint else text
