"""How a profile asks for a parameter that has no rules of its own: by its name and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel import command_line
from secboot.profile.nodes import unambiguous_text
from secboot.profile.occurrences import (
    AbsentRequirement,
    ExactRequirement,
    ListRequirement,
    PresentRequirement,
    ValuesRequirement,
)
from secboot.profile.requirement import (
    TRUE_SCHEMA,
    Form,
    Operator,
    ParameterRules,
    Requirement,
    WrittenRequirement,
)

if TYPE_CHECKING:
    from secboot.profile.nodes import Problems, Scalar

_VALUE_SCHEMA = {
    "type": ["string", "integer", "number"],
    # Printable ASCII without the double quote, which nothing escapes for the kernel.
    "pattern": "^[ !#-~]*$",
    "errorMessage": "must be a string or a number, in ASCII; put words like on, no and true in quotes",
}


def _make(written: WrittenRequirement, problems: Problems) -> Requirement | None:
    if not written.values:
        return _without_values(written, problems)
    name, location, operator = written.name, written.location, written.operator
    values = _values(written, written.values, problems)
    excluded = _values(written, written.excluded, problems)
    if values is None or excluded is None or _report_contradiction(written, problems):
        return None
    if operator is Operator.EXCLUDES:
        return ValuesRequirement(name, location, (), values)
    if _report_number(written, problems):
        return None
    if operator is Operator.INCLUDES:
        return ValuesRequirement(name, location, values, excluded)
    one = ExactRequirement(name, location, values[0])
    return ListRequirement(name, location, values) if written.listed else one


def _without_values(written: WrittenRequirement, problems: Problems) -> Requirement | None:
    name, location = written.name, written.location
    if written.operator is Operator.ABSENT:
        return AbsentRequirement(name, location)
    if written.operator is Operator.PRESENT:
        return PresentRequirement(name, location)
    if command_line.wants_value(name):
        problems.error(
            "value-wanted",
            f"{name} without a value means nothing to whoever reads it",
            location,
            f"give its value, or write {name}: {{absent: true}} to remove it",
        )
        return None
    if command_line.is_multi_valued(name):
        return ValuesRequirement(name, location, (None,))
    return ExactRequirement(name, location, None)


def _report_number(written: WrittenRequirement, problems: Problems) -> bool:
    """Note it where several values are asked of what has one, or one of what has several."""
    name, values = written.name, written.values
    listed = written.operator is Operator.INCLUDES or written.listed
    if listed and command_line.last_wins(name):
        problems.error(
            "single-valued",
            f"of several {name} the last one counts and the others do nothing",
            written.location,
            f"write {name}: '{values[-1].text}'",
        )
        return True
    if not listed and command_line.is_multi_valued(name):
        value = values[0].text
        problems.error(
            "multi-valued",
            f"{name} can be given several times, so a single value would replace the others",
            written.location,
            f"write {name}: ['{value}'] to have it among them, or {name}: {{exactly: ['{value}']}}"
            " to have no other",
        )
        return True
    return False


def _values(
    written: WrittenRequirement, scalars: tuple[Scalar, ...], problems: Problems
) -> tuple[str, ...] | None:
    values = [_value(written.name, scalar, problems) for scalar in scalars]
    texts = tuple(value for value in values if value is not None)
    if len(texts) < len(values):
        return None
    if written.operator is Operator.EXACTLY:
        # A list says how often a value is given, too (hugepages=).
        return texts
    return None if _report_repeated(written.name, scalars, texts, problems) else texts


def _report_repeated(
    name: str, scalars: tuple[Scalar, ...], texts: tuple[str, ...], problems: Problems
) -> bool:
    repeated = [each for at, each in enumerate(scalars) if texts[at] in texts[:at]]
    for scalar in repeated:
        problems.error(
            "value-twice",
            f"{scalar.text!r} is among the values of {name} twice",
            scalar.location,
            "keep one of them: a value is either given or not",
        )
    return bool(repeated)


def _report_contradiction(written: WrittenRequirement, problems: Problems) -> bool:
    included = {scalar.text for scalar in written.values}
    both = [each for each in written.excluded if each.text in included]
    for scalar in both:
        problems.error(
            "value-contradiction",
            f"{scalar.text!r} is asked for and excluded at once",
            scalar.location,
            "remove it from one of the lists",
        )
    return bool(both)


def _value(name: str, scalar: Scalar, problems: Problems) -> str | None:
    text = unambiguous_text(
        scalar,
        problems,
        instead=f"put it in quotes if the kernel shall get this text; {name}: {{present: true}} "
        f"is the parameter without a value, {name}: '' is {name}= with nothing behind it",
    )
    if text is None:
        return None
    fault = value_fault(text)
    if fault:
        problems.error("value-text", f"the value of {name} {fault}", scalar.location, VALUE_HINT)
        return None
    return text


VALUE_HINT = "a value is printable ASCII in one line, without a double quote; blanks are fine"


def value_fault(text: str) -> str | None:
    """Say what keeps a text from being a value on the kernel's command line; None for a good one."""
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
            "`name=`. A list asks for these occurrences, in this order, and no other; a parameter "
            "that can be given several times takes only a list",
            "'1'",
            _VALUE_SCHEMA,
            listed=True,
        ),
        Form(
            Operator.INCLUDES,
            "each of these values is given, in whatever order; other occurrences stay. What is "
            "missing is added at the end (the last `console=` is the one that `/dev/console` is)",
            "[ttysclp0, hvc0]",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.EXCLUDES,
            "no occurrence has one of these values; others stay, the bare name too. Together with "
            "`includes`, what is included takes the place of what is excluded",
            "{excludes: ['off']}",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.BARE,
            "given as the bare name: an occurrence with a value is replaced. Not for parameters "
            "that are known to need a value",
            "{bare: true}",
            TRUE_SCHEMA,
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
