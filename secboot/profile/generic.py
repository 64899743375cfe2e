"""Requirements on a parameter without rules of its own: on its name and values."""

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
    # Printable ASCII without the double quote, which cannot be escaped for the kernel.
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
            f"{name} has no effect without a value",
            location,
            f"add the value, or write {name}: {{absent: true}} to remove it",
        )
        return None
    if command_line.is_multi_valued(name):
        return ValuesRequirement(name, location, (None,))
    return ExactRequirement(name, location, None)


def _report_number(written: WrittenRequirement, problems: Problems) -> bool:
    """Report several values for a parameter that has one, or one for a parameter that has several."""
    name, values = written.name, written.values
    listed = written.operator is Operator.INCLUDES or written.listed
    if listed and command_line.last_wins(name):
        problems.error(
            "single-valued",
            f"only the last {name}= has an effect, so it cannot have several values",
            written.location,
            f"write {name}: '{values[-1].text}'",
        )
        return True
    if not listed and command_line.is_multi_valued(name):
        value = values[0].text
        problems.error(
            "multi-valued",
            f"{name} can be set several times, and a single value would replace the others",
            written.location,
            f"write `{name}: ['{value}']` to keep the others, or"
            f" `{name}: {{exactly: ['{value}']}}` to remove them",
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
        # A list may repeat a value, and then requires it that often (hugepages=).
        return texts
    return None if _report_repeated(written.name, scalars, texts, problems) else texts


def _report_repeated(
    name: str, scalars: tuple[Scalar, ...], texts: tuple[str, ...], problems: Problems
) -> bool:
    repeated = [each for at, each in enumerate(scalars) if texts[at] in texts[:at]]
    for scalar in repeated:
        problems.error(
            "value-twice",
            f"{scalar.text!r} is listed twice for {name}",
            scalar.location,
            "remove one of them",
        )
    return bool(repeated)


def _report_contradiction(written: WrittenRequirement, problems: Problems) -> bool:
    included = {scalar.text for scalar in written.values}
    both = [each for each in written.excluded if each.text in included]
    for scalar in both:
        problems.error(
            "value-contradiction",
            f"{scalar.text!r} is both included and excluded",
            scalar.location,
            "remove it from one of the lists",
        )
    return bool(both)


def _value(name: str, scalar: Scalar, problems: Problems) -> str | None:
    literally = "to pass it literally, put it in quotes\n" if scalar.text else ""
    text = unambiguous_text(
        scalar,
        problems,
        instead=f"{literally}{name}: {{present: true}} sets {name} without a value; {name}: '' sets"
        f" {name}= with an empty value",
    )
    if text is None:
        return None
    fault = value_fault(text)
    if fault:
        problems.error("value-text", f"the value of {name} {fault}", scalar.location, VALUE_HINT)
        return None
    return text


VALUE_HINT = "a value is one line of printable ASCII without a double quote; spaces are allowed"


def value_fault(text: str) -> str | None:
    """Say why a text cannot be a value on the kernel command line; None if it can."""
    if not text.isascii():
        return "contains a character that is not ASCII: the kernel would read the line as EBCDIC"
    if '"' in text:
        return "contains a double quote, which the kernel would interpret"
    if "\n" in text or "\r" in text:
        return "has several lines"
    return None if text.isprintable() else "contains a control character"


RULES = ParameterRules(
    "every other kernel parameter, by its name and value",
    (
        Form(
            Operator.EXACTLY,
            "this value and no other: an occurrence with a different value is replaced. `''` is "
            "`name=`. A list requires exactly these occurrences, in this order; a parameter that can "
            "be set several times accepts only a list",
            "'1'",
            _VALUE_SCHEMA,
            listed=True,
        ),
        Form(
            Operator.INCLUDES,
            "each of these values is set, in any order; other occurrences stay. Missing values are "
            "added at the end (the last `console=` becomes `/dev/console`)",
            "[ttysclp0, hvc0]",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.EXCLUDES,
            "no occurrence has one of these values; others stay, including the bare name. Together "
            "with `includes`, included values replace excluded ones",
            "{excludes: ['off']}",
            _VALUE_SCHEMA,
        ),
        Form(
            Operator.BARE,
            "set as the bare name: an occurrence with a value is replaced. Not for parameters that "
            "are known to need a value",
            "{bare: true}",
            TRUE_SCHEMA,
        ),
        Form(
            Operator.PRESENT,
            "set, with or without a value; if it is missing, the bare name is added",
            "{present: true}",
            TRUE_SCHEMA,
        ),
        Form(
            Operator.ABSENT,
            "not set, neither with nor without a value",
            "{absent: true}",
            TRUE_SCHEMA,
        ),
    ),
    _make,
    "A value is printable ASCII without a double quote. Spaces are allowed; secboot adds the quotes "
    "that the kernel needs. The kernel treats `-` and `_` in a name as the same character, so either "
    "spelling on the line meets a requirement. Names that start with `rd.`, and those that the s390 "
    "boot code reads itself, are compared as written. Words after `--` are for init and are ignored.",
)
"""The requirements that a profile can make on a parameter without rules of its own."""
