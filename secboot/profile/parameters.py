"""Read the ``parameters`` of a profile into requirements; known parameters have their own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel.command_line import canonical
from secboot.profile import fields
from secboot.profile.nodes import Mapping, Node, Scalar, Sequence
from secboot.profile.requirement import Operator, WrittenRequirement

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Table

    from secboot.profile.nodes import Problems
    from secboot.profile.requirement import ParameterRules, Requirement


def _prot_virt() -> ParameterRules:
    from secboot.profile.prot_virt import RULES  # noqa: PLC0415 - see KNOWN

    return RULES


def _swiotlb() -> ParameterRules:
    from secboot.profile.swiotlb import RULES  # noqa: PLC0415 - see KNOWN

    return RULES


KNOWN: Table[str, Callable[[], ParameterRules]] = {"prot_virt": _prot_virt, "swiotlb": _swiotlb}
"""The parameters with rules of their own. A profile rarely names more than one, so each is a module that is
imported when it is named."""


def rules_for(name: str) -> ParameterRules:
    """Return the rules for a parameter of this name."""
    if name in KNOWN:
        return KNOWN[name]()
    from secboot.profile.generic import RULES  # noqa: PLC0415 - few profiles name other parameters

    return RULES


PARAMETERS_LIMIT = 500
"""The kernel command line has a few thousand characters."""


def read_parameters(
    node: Node, as_spelled: tuple[Scalar, ...], problems: Problems
) -> tuple[Requirement, ...]:
    """Return every valid requirement; everything that is wrong is added to `problems`.

    `as_spelled` are names that look misspelled, but are intended.
    """
    if not isinstance(node, Mapping):
        problems.error(
            "parameters-mapping",
            "`parameters` must be a mapping of parameter names",
            node.location,
            "write `prot_virt: 1`",
        )
        return ()
    if len(node.items) > PARAMETERS_LIMIT:
        problems.error(
            "too-many-parameters",
            f"a profile can set at most {PARAMETERS_LIMIT} parameters",
            node.items[PARAMETERS_LIMIT][0].location,
        )
        return ()
    meant = {each.text for each in as_spelled}
    requirements: dict[str, Requirement] = {}
    for key, value in node.items:
        requirement = _read_parameter(key, value, meant, problems)
        if requirement is None:
            continue
        same = requirements.setdefault(canonical(requirement.name), requirement)
        if same is not requirement:
            problems.error(
                "same-parameter",
                f"{requirement.name!r} is the same parameter as {same.name!r} on line "
                f"{same.location.line}: the kernel treats - and _ as the same character",
                key.location,
                "keep one of them",
            )
    return tuple(requirements.values())


def _read_parameter(
    key: Scalar, value: Node, meant: set[str], problems: Problems
) -> Requirement | None:
    name = fields.read_name(key, problems)
    if name is None:
        return None
    if name not in KNOWN and _report_misspelt(key, meant, problems):
        return None
    written = _read_written(name, key, value, problems)
    if written is None:
        return None
    rules = rules_for(name)
    form = rules.form(written.operator)
    if form is None:
        forms = " or ".join(form.operator for form in rules.forms)
        problems.error(
            "operator",
            f"{name} does not accept `{written.operator}`",
            written.values[0].location if written.values else key.location,
            f"it accepts {forms}",
        )
        return None
    if written.listed and not form.listed:
        problems.error(
            "single-value",
            f"`{written.operator}` accepts a single value for {name}",
            written.values[0].location,
        )
        return None
    return rules.make(written, problems)


def _report_misspelt(key: Scalar, meant: set[str], problems: Problems) -> bool:
    from secboot.profile.spelling import likely_name  # noqa: PLC0415 - known names do not need it

    name = key.text
    like = name.lower().replace("-", "_")
    if name != like and like in KNOWN and (name not in meant or canonical(name) == like):
        # secboot, like most of the kernel, treats - and _ in a name as the same character.
        message, hint = f"the kernel does not know {name!r}", f"did you mean '{like}'?"
    else:
        other = None if name in meant else likely_name(name, KNOWN)
        if other is None:
            return False
        message = f"{name!r} looks like a misspelling of '{other}'"
        hint = f"write '{other}', or add `as_spelled: [{name}]` if the name is correct"
    problems.error("misspelt-name", message, key.location, hint)
    return True


def _read_written(
    name: str, key: Scalar, value: Node, problems: Problems
) -> WrittenRequirement | None:
    if isinstance(value, Scalar):
        return WrittenRequirement(name, Operator.EXACTLY, (value,), key.location)
    if isinstance(value, Sequence):
        return _read_values(name, key, Operator.INCLUDES, value, problems)
    found = fields.read_fields(
        value, fields.REQUIREMENT_FIELDS, problems, lambda word: _meant_operator(word, name)
    )
    if len(found) == 1:
        ((operator, node),) = found.items()
        return _read_operator(name, key, Operator(operator), node, problems)
    if found.keys() == {Operator.INCLUDES, Operator.EXCLUDES}:
        included, excluded = (
            _read_values(name, key, operator, found[operator], problems)
            for operator in (Operator.INCLUDES, Operator.EXCLUDES)
        )
        if included is None or excluded is None:
            return None
        return included._replace(excluded=excluded.values)
    if len(found) == len(value.items):
        problems.error(
            "one-operator",
            f"{name} must have exactly one of these keys: {', '.join(Operator)}",
            value.location,
            "only includes and excludes can be combined",
        )
    return None


def _meant_operator(word: str, name: str) -> str:
    """Propose the operator that `word` is a misspelling of; if it does not fit here, list those that do."""
    from secboot.profile.spelling import likely_word  # noqa: PLC0415 - only needed for errors

    taken = [form.operator for form in rules_for(name).forms]
    meant = likely_word(word, Operator)
    if meant is None:
        return f"{name} accepts {', '.join(taken)}"
    said = f"did you mean '{meant}'?"
    return said if meant in taken else f"{said} {name} accepts only {', '.join(taken)}"


def _read_operator(
    name: str, key: Scalar, operator: Operator, node: Node, problems: Problems
) -> WrittenRequirement | None:
    kind = next(field.kind for field in fields.REQUIREMENT_FIELDS if field.key == operator)
    listed = kind is fields.Kind.VALUE_OR_VALUES and isinstance(node, Sequence)
    if kind is fields.Kind.VALUES or listed:
        written = _read_values(name, key, operator, node, problems)
        return None if written is None else written._replace(listed=listed)
    if kind is fields.Kind.TRUE:
        return _read_true(WrittenRequirement(name, operator, (), key.location), node, problems)
    if not isinstance(node, Scalar):
        problems.error("single-value", f"`{operator}` accepts a single value", node.location)
        return None
    return WrittenRequirement(name, operator, (node,), key.location)


def _read_values(
    name: str, key: Scalar, operator: Operator, node: Node, problems: Problems
) -> WrittenRequirement | None:
    values = fields.read_scalars(node, f"the value of {name}", problems)
    if not values:
        return None
    return WrittenRequirement(name, operator, values, key.location)


def _read_true(
    written: WrittenRequirement, node: Node, problems: Problems
) -> WrittenRequirement | None:
    wanted = fields.read_boolean(node, f"`{written.operator}`", problems)
    if wanted is False:
        other = Operator.PRESENT if written.operator is Operator.ABSENT else Operator.ABSENT
        problems.error(
            "false",
            f"`{written.operator}: false` has no effect",
            node.location,
            f"write `{other}: true`, or remove the parameter",
        )
    return written if wanted else None
