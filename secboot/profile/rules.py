"""How a parameter may be asked for: the shape that each known parameter's module fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.profile.problems import Problems
    from secboot.profile.requirement import Requirement
    from secboot.profile.wish import Operator, Wish


class Form(NamedTuple):
    """One way to ask for a parameter: its meaning, an example, and what its values look like.

    `schema` is the JSON Schema of one value; `example` the YAML that stands behind the
    parameter's name.
    """

    operator: Operator
    meaning: str
    example: str
    schema: Mapping[str, Any]


class MakeRequirement(Protocol):
    """Turns a wish into a requirement, or notes why that can't be and gives None."""

    def __call__(self, wish: Wish, problems: Problems) -> Requirement | None:
        """Make the requirement of a wish whose operator is one of the forms."""


class ParameterRules(NamedTuple):
    """What can be asked of one parameter, or of all that have no rules of their own.

    `details` is a paragraph for the reference page.
    """

    summary: str
    forms: tuple[Form, ...]
    make: MakeRequirement
    details: str

    def form(self, operator: Operator) -> Form | None:
        """The form for an operator, or None if the parameter can't be asked for in that way."""
        return next((form for form in self.forms if form.operator is operator), None)


TRUE_SCHEMA: Mapping[str, Any] = {"const": True}
"""Of the operators that have nothing to say but themselves."""
