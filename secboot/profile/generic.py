"""Requirements on parameters that secboot knows nothing about but their names and values.

Names are matched as whoever reads them would (`kernel.command_line`): ``-`` and ``_`` are the
same for the kernel, so ``kvm.nested-x=1`` meets what is asked of ``kvm.nested_x`` and is left
as it is. What has to be written is written with the name that the profile gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import parameter_text
from secboot.kernel import command_line
from secboot.profile.nodes import unambiguous_text
from secboot.profile.requirement import (
    TRUE_SCHEMA,
    Form,
    Judgement,
    KeptValues,
    Operator,
    ParameterRules,
    Requirement,
    WrittenRequirement,
    given,
    put,
)

if TYPE_CHECKING:
    from secboot.errors import Location
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.profile.nodes import Problems, Scalar


class _NamedRequirement(Requirement):
    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """The words that the reader of this parameter takes for it."""
        return command_line.occurrences(line, self.name)


class ExactRequirement(_NamedRequirement):
    """Given with this value, and with no other; the empty value is ``name=``."""

    def __init__(self, name: str, location: Location, value: str) -> None:
        super().__init__(name, location)
        self.value = value

    def describe(self) -> str:
        """Say what is required."""
        return parameter_text(self.name, self.value)

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


class IncludesRequirement(_NamedRequirement):
    """Each of these values is given by some occurrence; all other occurrences stay."""

    def __init__(self, name: str, location: Location, values: tuple[str, ...]) -> None:
        super().__init__(name, location)
        self.values = values

    def describe(self) -> str:
        """Say what is required."""
        texts = [parameter_text(self.name, value) for value in self.values]
        return f"{' and '.join(texts)} among the {self.name} parameters"

    @property
    def stands_beside_others(self) -> bool:
        """Other values are none of its business."""
        return True

    def lost_by_adding(self) -> str:
        """What is there already comes twice."""
        return f"{self.name} is added even where it is given already"

    def _judge(self, line: CommandLine) -> Judgement:
        missing = self._missing(line)
        if missing:
            texts = " ".join(parameter_text(self.name, value) for value in missing)
            return Judgement(met=False, reason=f"{texts} is missing")
        return Judgement(met=True, reason=given(self.occurrences(line)))

    def _change(self, line: CommandLine) -> CommandLine:
        for value in self._missing(line):
            line = line.append(parameter_text(self.name, value))
        return line

    def _missing(self, line: CommandLine) -> tuple[str, ...]:
        given = {each.value for each in self.occurrences(line)}
        return tuple(value for value in self.values if value not in given)


class PresentRequirement(_NamedRequirement):
    """Given, with whatever value or none; written as the bare name where it is missing."""

    def describe(self) -> str:
        """Say what is required."""
        return f"{self.name} present"

    @property
    def kept(self) -> KeptValues:
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


_VALUE_SCHEMA = {
    "type": ["string", "integer", "number"],
    # Printable ASCII without the double quote, which nothing escapes for the kernel.
    "pattern": "^[ !#-~]*$",
}


def _make(written: WrittenRequirement, problems: Problems) -> Requirement | None:
    if written.operator is Operator.ABSENT:
        return AbsentRequirement(written.name, written.location)
    if written.operator is Operator.PRESENT:
        return PresentRequirement(written.name, written.location)
    values = [_value(written.name, scalar, problems) for scalar in written.values]
    texts = tuple(value for value in values if value is not None)
    if len(texts) < len(values) or _report_repeated(written, texts, problems):
        return None
    if written.operator is Operator.INCLUDES:
        return IncludesRequirement(written.name, written.location, texts)
    if command_line.is_multi_valued(written.name):
        problems.error(
            "multi-valued",
            f"{written.name} can be given several times, so a single value would replace the others",
            written.location,
            f"write {written.name}: ['{texts[0]}'] to have it among them",
        )
        return None
    return ExactRequirement(written.name, written.location, texts[0])


def _report_repeated(
    written: WrittenRequirement, texts: tuple[str, ...], problems: Problems
) -> bool:
    repeated = [each for at, each in enumerate(written.values) if texts[at] in texts[:at]]
    for scalar in repeated:
        problems.error(
            "value-twice",
            f"{scalar.text!r} is among the values of {written.name} twice",
            scalar.location,
            "keep one of them: a value is either given or not",
        )
    return bool(repeated)


def _value(name: str, scalar: Scalar, problems: Problems) -> str | None:
    text = unambiguous_text(
        scalar,
        problems,
        instead=f"put it in quotes if the kernel shall get this text; {name}: {{present: true}} "
        f"is the parameter without a value, {name}: '' is {name}= with nothing behind it",
    )
    if text is None:
        return None
    fault = _fault(text)
    if fault:
        problems.error("value-text", f"the value of {name} {fault}", scalar.location, _VALUE_HINT)
        return None
    return text


_VALUE_HINT = "a value is printable ASCII in one line, without a double quote; blanks are fine"


def _fault(text: str) -> str | None:
    if not text.isascii():
        return "has a character that isn't ASCII: the kernel would take the line for EBCDIC"
    if '"' in text:
        return "has a double quote, which the kernel would take for its own"
    if "\n" in text or "\r" in text:
        return "goes over several lines"
    return None if text.isprintable() else "has a control character"


RULES = ParameterRules(
    "every other kernel parameter, by its name and value",
    (
        Form(
            Operator.EXACTLY,
            "this value and no other: an occurrence with another one is replaced. `''` is "
            "`name=`. Not for parameters that can be given several times",
            "'1'",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.INCLUDES,
            "each of these values is given, in whatever order; other occurrences stay. What is "
            "missing is added at the end (the last `console=` is the one that `/dev/console` is)",
            "[ttysclp0, hvc0]",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.PRESENT,
            "given, with or without a value; written without",
            "{present: true}",
            TRUE_SCHEMA,
        ),
        Form(Operator.ABSENT, "not given, with no value", "{absent: true}", TRUE_SCHEMA),
    ),
    _make,
    "A value is printable ASCII without a double quote; blanks are fine, and secboot puts the "
    "quotes that the kernel needs. For the kernel `-` and `_` in a name are the same character, so "
    "either spelling on the line meets a requirement; names that begin with `rd.`, and those that "
    "the s390 boot code reads itself, are compared as written. Words behind `--` are for init and "
    "do not count.",
)
"""How a profile asks for a parameter that has no rules of its own."""
