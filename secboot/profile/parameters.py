"""Read the ``parameters`` of a profile into requirements, known parameters by rules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel.command_line import canonical
from secboot.profile import fields, generic, prot_virt, swiotlb
from secboot.profile.nodes import Mapping, Node, Scalar, Sequence
from secboot.profile.requirement import Operator, WrittenRequirement

if TYPE_CHECKING:
    from collections.abc import Mapping as Table

    from secboot.profile.nodes import Problems
    from secboot.profile.requirement import ParameterRules, Requirement


KNOWN: Table[str, ParameterRules] = {
    "prot_virt": prot_virt.RULES,
    "swiotlb": swiotlb.RULES,
}
GENERIC: ParameterRules = generic.RULES


def rules_for(name: str) -> ParameterRules:
    """The rules that hold for a parameter of this name."""
    return KNOWN.get(name, GENERIC)


PARAMETERS_LIMIT = 500
"""The kernel's line has some thousand characters."""


def meant(name: str) -> str | None:
    """The known parameter that a name looks like but isn't: ``prot-virt``, ``SWIOTLB``."""
    like = name.lower().replace("-", "_")
    return like if like in KNOWN and like != name else None


def read_parameters(node: Node, problems: Problems) -> tuple[Requirement, ...]:
    """Every requirement that is sound; whatever is wrong goes to `problems`."""
    if not isinstance(node, Mapping):
        problems.error(
            "parameters-mapping",
            "`parameters` has to be a mapping of names",
            node.location,
            "write `prot_virt: 1`",
        )
        return ()
    if len(node.items) > PARAMETERS_LIMIT:
        problems.error(
            "too-many-parameters",
            f"a profile asks for {PARAMETERS_LIMIT} parameters at most",
            node.items[PARAMETERS_LIMIT][0].location,
        )
        return ()
    requirements: dict[str, Requirement] = {}
    for key, value in node.items:
        requirement = _read_parameter(key, value, problems)
        if requirement is None:
            continue
        same = requirements.setdefault(canonical(requirement.name), requirement)
        if same is not requirement:
            problems.error(
                "same-parameter",
                f"{requirement.name!r} is the same parameter as {same.name!r} in line "
                f"{same.location.line}: the kernel takes - and _ for one character",
                key.location,
                "keep one of them",
            )
    return tuple(requirements.values())


def _read_parameter(key: Scalar, value: Node, problems: Problems) -> Requirement | None:
    name = fields.read_name(key, problems)
    if name is None:
        return None
    known = meant(name)
    if known:
        problems.error(
            "misspelt-name",
            f"the kernel does not know {name!r}",
            key.location,
            f"did you mean {known!r}?",
        )
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
            f"{name} can't be asked for with `{written.operator}`",
            written.values[0].location if written.values else key.location,
            f"it takes {forms}",
        )
        return None
    if written.listed and not form.listed:
        problems.error(
            "single-value",
            f"`{written.operator}` takes a single value for {name}",
            written.values[0].location,
        )
        return None
    return rules.make(written, problems)


def _read_written(
    name: str, key: Scalar, value: Node, problems: Problems
) -> WrittenRequirement | None:
    if isinstance(value, Scalar):
        return WrittenRequirement(name, Operator.EXACTLY, (value,), key.location)
    if isinstance(value, Sequence):
        return _read_values(name, key, Operator.INCLUDES, value, problems)
    found = fields.read_fields(value, fields.REQUIREMENT_FIELDS, problems)
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
            f"{name} has to be asked for in exactly one way",
            value.location,
            f"one of {', '.join(Operator)}; only includes and excludes can stand together",
        )
    return None


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
        problems.error("single-value", f"`{operator}` takes a single value", node.location)
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
            f"`{written.operator}: false` says nothing",
            node.location,
            f"write `{other}: true` or leave the parameter out",
        )
    return written if wanted else None
