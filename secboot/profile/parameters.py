"""Read the ``parameters`` of a profile into requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel.names import canonical
from secboot.profile.fields import REQUIREMENT_FIELDS, Kind
from secboot.profile.mapping import read_boolean, read_fields, read_name, read_scalars
from secboot.profile.nodes import Mapping, Node, Scalar, Sequence
from secboot.profile.registry import meant, rules_for
from secboot.profile.wish import Operator, Wish

if TYPE_CHECKING:
    from secboot.profile.problems import Problems
    from secboot.profile.requirement import Requirement


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
    name = read_name(key, problems)
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
    wish = _read_wish(name, key, value, problems)
    if wish is None:
        return None
    rules = rules_for(name)
    if rules.form(wish.operator) is None:
        forms = " or ".join(form.operator for form in rules.forms)
        problems.error(
            "operator",
            f"{name} can't be asked for with `{wish.operator}`",
            wish.values[0].location if wish.values else key.location,
            f"it takes {forms}",
        )
        return None
    return rules.make(wish, problems)


def _read_wish(name: str, key: Scalar, value: Node, problems: Problems) -> Wish | None:
    if isinstance(value, Scalar):
        return Wish(name, Operator.EXACTLY, (value,), key.location)
    if isinstance(value, Sequence):
        return _read_values(name, key, value, problems)
    found = read_fields(value, REQUIREMENT_FIELDS, problems)
    if len(found) == 1:
        ((operator, node),) = found.items()
        return _read_operator(name, key, Operator(operator), node, problems)
    if len(found) == len(value.items):
        problems.error(
            "one-operator",
            f"{name} has to be asked for in exactly one way",
            value.location,
            f"one of {', '.join(Operator)}",
        )
    return None


def _read_operator(
    name: str, key: Scalar, operator: Operator, node: Node, problems: Problems
) -> Wish | None:
    kind = next(field.kind for field in REQUIREMENT_FIELDS if field.key == operator)
    if kind is Kind.VALUES:
        return _read_values(name, key, node, problems)
    if kind is Kind.TRUE:
        return _read_true(Wish(name, operator, (), key.location), node, problems)
    if not isinstance(node, Scalar):
        problems.error("single-value", f"`{operator}` takes a single value", node.location)
        return None
    return Wish(name, operator, (node,), key.location)


def _read_values(name: str, key: Scalar, node: Node, problems: Problems) -> Wish | None:
    values = read_scalars(node, f"the value of {name}", problems)
    if not values:
        return None
    return Wish(name, Operator.INCLUDES, values, key.location)


def _read_true(wish: Wish, node: Node, problems: Problems) -> Wish | None:
    wanted = read_boolean(node, f"`{wish.operator}`", problems)
    if wanted is False:
        other = Operator.ABSENT if wish.operator is Operator.PRESENT else Operator.PRESENT
        problems.error(
            "false",
            f"`{wish.operator}: false` says nothing",
            node.location,
            f"write `{other}: true` or leave the parameter out",
        )
    return wish if wanted else None
