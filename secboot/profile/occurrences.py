"""Requirements on the occurrences of a parameter, of which only its name and values are known.

Names are matched as whoever reads them would (`kernel.command_line`): ``-`` and ``_`` are the
same for the kernel, so ``kvm.nested-x=1`` meets what is asked of ``kvm.nested_x`` and is left
as it is. What has to be written is written with the name that the profile gives. A value of None
is that of the bare word, without ``=``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import parameter_text
from secboot.kernel import command_line
from secboot.profile.requirement import Judgement, KeptValues, Requirement, given, put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.errors import Location
    from secboot.formats.kernel_cmdline import CommandLine, Parameter

Values = tuple[str | None, ...]


class _NamedRequirement(Requirement):
    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """The words that the reader of this parameter takes for it."""
        return command_line.occurrences(line, self.name)

    def _words(self, values: Values) -> list[str]:
        return [parameter_text(self.name, value) for value in values]


class ExactRequirement(_NamedRequirement):
    """Given with this value, and with no other; the empty value is ``name=``."""

    def __init__(self, name: str, location: Location, value: str | None) -> None:
        super().__init__(name, location)
        self.value = value

    def describe(self) -> str:
        """Say what is required."""
        text = parameter_text(self.name, self.value)
        return f"{text} without a value" if self.value is None else text

    def lost_by_adding(self) -> str:
        """Other values stay."""
        return f"another {self.name}= is not removed; of most parameters the last value counts"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if not present:
            return Judgement(met=False, reason=f"{self.name} is not given")
        others = tuple(each for each in present if each.value != self.value)
        if others:
            return Judgement(met=False, reason=given(others))
        return Judgement(met=True, reason=given(present))

    def _change(self, line: CommandLine) -> CommandLine:
        return put(line, self.occurrences(line), parameter_text(self.name, self.value))


class ListRequirement(_NamedRequirement):
    """Given with exactly these values, in this order, each as often as it is listed."""

    def __init__(self, name: str, location: Location, values: Values) -> None:
        super().__init__(name, location)
        self.values = values

    def describe(self) -> str:
        """Say what is required."""
        order = ", in this order" if len(self.values) > 1 else ""
        return f"{' '.join(self._words(self.values))} and no other {self.name}{order}"

    def lost_by_adding(self) -> str:
        """Others stay, before those that are added or after them."""
        return f"another {self.name}= is not removed"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        met = tuple(each.value for each in present) == self.values
        reason = given(present) if present else f"{self.name} is not given"
        return Judgement(met, reason)

    def _change(self, line: CommandLine) -> CommandLine:
        """Keep what can stay in the order that is asked for; replace others where they stand."""
        present = self.occurrences(line)
        places = [each for each in present if not each.after_dashdash]
        kept = _in_order(places, self.values)
        texts: dict[Parameter, list[str]] = {each: [] for each in present}
        appended: list[str] = []
        at = wanted = 0
        for place, value in [*kept, (len(places), len(self.values))]:
            new = self._words(self.values[wanted:value])
            free = places[at:place]
            for each, text in zip(free, new, strict=False):
                texts[each] = [text]
            more = new[len(free) :]
            if free:
                texts[free[-1]] += more
            elif place < len(places):
                texts[places[place]] += more
            else:
                appended = more
            if place < len(places):
                texts[places[place]].append(places[place].text)
            at, wanted = place + 1, value + 1
        line = _rewritten(line, {each: " ".join(text) for each, text in texts.items()})
        for text in appended:
            line = line.append(text)
        return line


class ValuesRequirement(_NamedRequirement):
    """Some occurrence has each of the values `included`, none has one of those `excluded`.

    All other occurrences stay.
    """

    def __init__(
        self, name: str, location: Location, included: Values, excluded: Values = ()
    ) -> None:
        super().__init__(name, location)
        self.included = included
        self.excluded = excluded

    def describe(self) -> str:
        """Say what is required."""
        excluded = " or ".join(self._words(self.excluded))
        if not self.included:
            return f"no {excluded}"
        without = f", without {excluded}" if excluded else ""
        included = " and ".join(self._words(self.included))
        return f"{included} among the {self.name} parameters{without}"

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The words with the values that are excluded."""
        return tuple(self._words(self.excluded))

    @property
    def stands_beside_others(self) -> bool:
        """Other values are none of its business."""
        return True

    def lost_by_adding(self) -> str | None:
        """What is there already comes twice."""
        if not self.included:
            return None
        return f"{self.name} is added even where it is given already"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        missing = " ".join(self._words(self._missing(present)))
        wrong = self._wrong(present)
        reasons = [given(wrong)] if wrong else []
        reasons += [f"{missing} is missing"] if missing else []
        if reasons:
            return Judgement(met=False, reason=" and ".join(reasons))
        return Judgement(
            met=True, reason=given(present) if present else f"{self.name} is not given"
        )

    def _change(self, line: CommandLine) -> CommandLine:
        """Write what is missing in the places of what is wrong, as far as there are any."""
        present = self.occurrences(line)
        missing = self._words(self._missing(present))
        texts = dict.fromkeys(self._wrong(present), "")
        free = [each for each in texts if not each.after_dashdash]
        texts.update(zip(free, missing, strict=False))
        line = _rewritten(line, texts)
        for text in missing[len(free) :]:
            line = line.append(text)
        return line

    def _missing(self, present: Sequence[Parameter]) -> Values:
        values = {each.value for each in present}
        return tuple(dict.fromkeys(each for each in self.included if each not in values))

    def _wrong(self, present: Sequence[Parameter]) -> tuple[Parameter, ...]:
        return tuple(each for each in present if each.value in self.excluded)


class PresentRequirement(_NamedRequirement):
    """Given, with whatever value or none; written as the bare name where it is missing.

    Raises RefusedError where a name that means nothing without a value would have to be written.
    """

    def describe(self) -> str:
        """Say what is required."""
        return f"{self.name} present"

    @property
    def kept(self) -> KeptValues | None:
        """Any value will do."""
        return KeptValues(".*")

    def lost_by_adding(self) -> str:
        """What is there already comes twice."""
        return f"{self.name} is added even where it is given already"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if present:
            return Judgement(met=True, reason=given(present))
        return Judgement(met=False, reason=f"{self.name} is not given")

    def _change(self, line: CommandLine) -> CommandLine:
        if command_line.wants_value(self.name):
            raise RefusedError(
                f"{self.name} means nothing without a value, and the profile asks for none",
                location=self.location,
                hint=f"name the value: {self.name}: VALUE",
            )
        return line.append(self.name)


class AbsentRequirement(_NamedRequirement):
    """Not given, with no value whatever."""

    def describe(self) -> str:
        """Say what is required."""
        return f"{self.name} absent"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if present:
            return Judgement(met=False, reason=given(present))
        return Judgement(met=True, reason=f"{self.name} is not given")

    def _change(self, line: CommandLine) -> CommandLine:
        return line.remove(*self.occurrences(line))


def _in_order(places: Sequence[Parameter], values: Values) -> list[tuple[int, int]]:
    """Return which of the places can stay, and for which of the values: the first that is met."""
    found: list[tuple[int, int]] = []
    start = 0
    for wanted, value in enumerate(values):
        at = next((n for n in range(start, len(places)) if places[n].value == value), None)
        if at is not None:
            found.append((at, wanted))
            start = at + 1
    return found


def _rewritten(line: CommandLine, texts: Mapping[Parameter, str]) -> CommandLine:
    """Return the line with the text for each of these words in its place, or without it for ""."""
    # From the right, so that the words that are still to come stay where they are.
    for parameter in sorted(texts, key=lambda each: each.start, reverse=True):
        text = texts[parameter]
        if not text:
            line = line.remove(parameter)
        elif text != parameter.text:
            line = line.replace(parameter, text)
    return line
