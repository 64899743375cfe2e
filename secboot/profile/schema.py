"""The JSON Schema of a profile, for editors and pipelines; made from the same tables as reading.

It says what a profile may look like once some YAML library has turned it into data. What can't
be seen there any more, such as duplicate keys, aliases, or ``on`` without quotes that became
true, only secboot itself reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.kernel.command_line import LAST_WINS_NAMES, MULTI_VALUED_NAMES, wants_value
from secboot.profile import fields
from secboot.profile.parameters import GENERIC, KNOWN
from secboot.profile.requirement import Operator, ParameterRules
from secboot.profile.size import MEMORY_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Table

Schema = dict[str, Any]

_PATH_PATTERN = fields.PATH_PATTERN.replace("^", r"^(?!.*/\.{1,2}(/|$))", 1)


def profile_schema() -> Schema:
    """The schema as data, draft 2020-12; every call makes a new one."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "secboot profile",
        "description": "What a role in IBM Secure Execution asks of the kernel parameters",
        **_object(fields.PROFILE_FIELDS),
        "anyOf": [{"required": ["parameters"]}, {"required": ["extends"]}],
        "dependentRequired": {"drop": ["extends"], "as_spelled": ["parameters"]},
        "if": {"not": {"required": ["extends"]}},
        "then": {"properties": {"image": {"required": ["parmfile", "output"]}}},
    }


def _object(table: tuple[fields.Field, ...]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {
            field.key: {**_field(field), "description": field.meaning} for field in table
        },
        "additionalProperties": False,
    }
    required = [field.key for field in table if field.required]
    return {**schema, "required": required} if required else schema


def _field(field: fields.Field) -> Schema:
    name: Schema = {"type": "string", "pattern": fields.NAME_PATTERN}
    by_kind: dict[fields.Kind, Schema] = {
        fields.Kind.VERSION: {"const": fields.FORMAT_VERSION},
        fields.Kind.CHOICE: {"enum": list(map(str, field.choices))},
        fields.Kind.TEXT: {"type": "string"},
        fields.Kind.MEMORY: {"type": "string", "pattern": MEMORY_PATTERN},
        fields.Kind.PROFILE: {"type": "string", "pattern": fields.EXTENDED_PATTERN},
        fields.Kind.NAMES: _list_of(name),
        fields.Kind.PATTERNS: _list_of({"type": "string", "minLength": 1}),
        fields.Kind.BOOLEAN: {"type": "boolean"},
        fields.Kind.PATH: {"type": "string", "pattern": _PATH_PATTERN},
    }
    if field.kind is fields.Kind.PARAMETERS:
        return _parameters(name)
    if field.kind is fields.Kind.ENTRIES:
        mapping = {**_object(fields.ENTRY_FIELDS), "minProperties": 1}
        return {"anyOf": [{"enum": list(map(str, field.choices))}, mapping]}
    if field.kind is fields.Kind.IMAGE:
        return {**_object(fields.IMAGE_FIELDS), "minProperties": 1}
    return by_kind[field.kind]


def _parameters(name: Schema) -> Schema:
    properties = {known: _rules(rules) for known, rules in KNOWN.items()}
    for each in sorted(MULTI_VALUED_NAMES):
        properties[each] = _rules(_without(_unfit(each)), several=True)
    for each in sorted(LAST_WINS_NAMES):
        properties[each] = _rules(_without({*_unfit(each), Operator.INCLUDES}, listed=False))
    return {
        "type": "object",
        "propertyNames": name,
        "properties": properties,
        "additionalProperties": _rules(GENERIC),
    }


def _unfit(name: str) -> set[Operator]:
    return {Operator.BARE} if wants_value(name) else set()


def _without(operators: set[Operator], *, listed: bool = True) -> ParameterRules:
    """The rules of other parameters without some of their forms; not `listed` takes no lists."""
    forms = (form for form in GENERIC.forms if form.operator not in operators)
    return GENERIC._replace(
        forms=tuple(form._replace(listed=form.listed and listed) for form in forms)
    )


def _rules(rules: ParameterRules, *, several: bool = False) -> Schema:
    """Every form as a mapping with its operator; two of them in a short form as well.

    `several` is for a parameter that takes no single value.
    """
    ways: list[Schema] = []
    schemas: dict[Operator, Schema] = {}
    for form in rules.forms:
        value = dict(form.schema)
        schemas[form.operator] = value
        if form.operator in {Operator.INCLUDES, Operator.EXCLUDES}:
            schemas[form.operator] = _list_of(value)
        if form.operator is Operator.EXACTLY:
            ways += [] if several else [value]
        if form.operator is Operator.INCLUDES:
            ways.append(schemas[form.operator])
        if form.listed:
            one = [] if several else [value]
            listed = {"type": "array", "minItems": 1, "items": value}
            schemas[form.operator] = {"anyOf": [*one, listed]}
    ways.append(_one_of(schemas.items()))
    if schemas.keys() >= {Operator.INCLUDES, Operator.EXCLUDES}:
        ways.append(_both(schemas))
    return {"description": rules.summary, "anyOf": ways}


def _one_of(operators: Iterable[tuple[Operator, Schema]]) -> Schema:
    return {
        "type": "object",
        "properties": {str(operator): schema for operator, schema in operators},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _both(schemas: Table[Operator, Schema]) -> Schema:
    both = (Operator.INCLUDES, Operator.EXCLUDES)
    return {
        "type": "object",
        "properties": {str(operator): schemas[operator] for operator in both},
        "required": list(map(str, both)),
        "additionalProperties": False,
    }


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": item}
