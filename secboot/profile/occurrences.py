"""Requirements on the occurrences of a parameter of which only the name and values are known.

Names are matched as their reader would match them (`kernel.command_line`): ``-`` and ``_`` are the
same for the kernel, so ``kvm.nested-x=1`` meets a requirement on ``kvm.nested_x`` and does not
change. New words are written with the name in the profile. The value None stands for the bare name,
without ``=``.
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
        """Return the words that the reader of this parameter recognizes as it."""
        return command_line.occurrences(line, self.name)

    def _words(self, values: Values) -> list[str]:
        return [parameter_text(self.name, value) for value in values]


class ExactRequirement(_NamedRequirement):
    """Set to this value, and to no other; the empty value is ``name=``."""

    def __init__(self, name: str, location: Location, value: str | None) -> None:
        super().__init__(name, location)
        self.value = value

    def describe(self) -> str:
        """Say what is required."""
        text = parameter_text(self.name, self.value)
        return f"{text} without a value" if self.value is None else text

    def lost_by_adding(self) -> str:
        """Other values stay."""
        return f"another {self.name}= is not removed; for most parameters the last value wins"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if not present:
            return Judgement(met=False, reason=f"{self.name} is not set")
        others = tuple(each for each in present if each.value != self.value)
        if others:
            return Judgement(met=False, reason=given(others))
        return Judgement(met=True, reason=given(present))

    def _change(self, line: CommandLine) -> CommandLine:
        return put(line, self.occurrences(line), parameter_text(self.name, self.value))


class ListRequirement(_NamedRequirement):
    """Set to exactly these values, in this order, each as often as it is listed."""

    def __init__(self, name: str, location: Location, values: Values) -> None:
        super().__init__(name, location)
        self.values = values

    def describe(self) -> str:
        """Say what is required."""
        order = ", in this order" if len(self.values) > 1 else ""
        return f"{' '.join(self._words(self.values))} and no other {self.name}{order}"

    def lost_by_adding(self) -> str:
        """Other values stay, before or after the added ones."""
        return f"another {self.name}= is not removed"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        met = tuple(each.value for each in present) == self.values
        reason = given(present) if present else f"{self.name} is not set"
        return Judgement(met, reason)

    def _change(self, line: CommandLine) -> CommandLine:
        """Keep what is in the required order; replace other occurrences in place."""
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
    """Each value of `included` has an occurrence, and no value of `excluded` has one.

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
        """The words with the excluded values."""
        return tuple(self._words(self.excluded))

    @property
    def stands_beside_others(self) -> bool:
        """Other values may stay."""
        return True

    def lost_by_adding(self) -> str | None:
        """A value that is already set is set twice."""
        if not self.included:
            return None
        return f"{self.name} is added even if it is already set"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        missing = " ".join(self._words(self._missing(present)))
        wrong = self._wrong(present)
        reasons = [given(wrong)] if wrong else []
        reasons += [f"{missing} is missing"] if missing else []
        if reasons:
            return Judgement(met=False, reason=" and ".join(reasons))
        return Judgement(met=True, reason=given(present) if present else f"{self.name} is not set")

    def _change(self, line: CommandLine) -> CommandLine:
        """Write missing values in place of wrong ones, and add the rest."""
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
    """Set, with any value or none; added as the bare name if it is missing.

    Raises RefusedError if it would add a name that has no effect without a value.
    """

    def describe(self) -> str:
        """Say what is required."""
        return f"{self.name} present"

    @property
    def kept(self) -> KeptValues | None:
        """Any value meets it."""
        return KeptValues(".*")

    def lost_by_adding(self) -> str:
        """A parameter that is already set is set twice."""
        return f"{self.name} is added even if it is already set"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if present:
            return Judgement(met=True, reason=given(present))
        return Judgement(met=False, reason=f"{self.name} is not set")

    def _change(self, line: CommandLine) -> CommandLine:
        if command_line.wants_value(self.name):
            raise RefusedError(
                f"{self.name} has no effect without a value, and the profile sets none",
                location=self.location,
                hint=f"add the value to the profile: {self.name}: VALUE",
            )
        return line.append(self.name)


class AbsentRequirement(_NamedRequirement):
    """Not set, neither with nor without a value."""

    def describe(self) -> str:
        """Say what is required."""
        return f"{self.name} absent"

    def _judge(self, line: CommandLine) -> Judgement:
        present = self.occurrences(line)
        if present:
            return Judgement(met=False, reason=given(present))
        return Judgement(met=True, reason=f"{self.name} is not set")

    def _change(self, line: CommandLine) -> CommandLine:
        return line.remove(*self.occurrences(line))


def _in_order(places: Sequence[Parameter], values: Values) -> list[tuple[int, int]]:
    """Return which places can stay, and for which value each: the first one that fits."""
    found: list[tuple[int, int]] = []
    start = 0
    for wanted, value in enumerate(values):
        at = next((n for n in range(start, len(places)) if places[n].value == value), None)
        if at is not None:
            found.append((at, wanted))
            start = at + 1
    return found


def _rewritten(line: CommandLine, texts: Mapping[Parameter, str]) -> CommandLine:
    """Return the line with each of these words replaced by its text, or removed if that is ""."""
    # From the right, so that the words still to be replaced do not move.
    for parameter in sorted(texts, key=lambda each: each.start, reverse=True):
        text = texts[parameter]
        if not text:
            line = line.remove(parameter)
        elif text != parameter.text:
            line = line.replace(parameter, text)
    return line
