"""What a profile asks for, as a tool sees it that can only put parameters on a line.

secboot judges a line and changes what is wrong with it. Most other tools add words, and some
delete words by name or by their whole text. A `Demand` says which words there are to add, and
what is lost when they are only added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.generic import ExactRequirement, IncludesRequirement, PresentRequirement
from secboot.profile.swiotlb import Bound, SwiotlbSizeRequirement

if TYPE_CHECKING:
    from secboot.profile.requirement import Requirement

_EMPTY = CommandLine.parse("")


@dataclass(frozen=True, slots=True)
class Demand:
    """One requirement: the words that meet it on an empty line, in order.

    A demand without words is met by an empty line, so it is one for removal.
    """

    requirement: Requirement
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The parameter's name, as the profile spells it."""
        return self.requirement.name

    @property
    def removes(self) -> bool:
        """Whether words have to go, and none has to be added."""
        return not self.words

    @property
    def adds_one_of_many(self) -> bool:
        """Whether the words stand beside others of the same name, which have to stay."""
        return isinstance(self.requirement, IncludesRequirement)

    @property
    def keeps_more(self) -> bool:
        """Whether a larger value than that of the words meets it, too, and is to be left."""
        requirement = self.requirement
        return (
            isinstance(requirement, SwiotlbSizeRequirement) and requirement.bound is Bound.AT_LEAST
        )

    def lost_by_adding(self) -> str | None:
        """Say what a tool that only adds words loses of this demand, or None for nothing."""
        requirement = self.requirement
        if isinstance(requirement, SwiotlbSizeRequirement):
            kept = (
                "a larger size that is given elsewhere is not kept, and " if self.keeps_more else ""
            )
            return (
                f"{kept}another swiotlb= is not removed: the last size counts, and noforce"
                " always does"
            )
        if isinstance(requirement, ExactRequirement):
            return f"another {self.name}= is not removed; of most parameters the last value counts"
        if isinstance(requirement, IncludesRequirement | PresentRequirement):
            return f"{self.name} is added even where it is given already"
        return None


def demand_of(requirement: Requirement) -> Demand:
    """Return the demand of one requirement."""
    met = requirement.fulfil(_EMPTY)
    return Demand(requirement, tuple(parameter.text for parameter in met.parameters))
