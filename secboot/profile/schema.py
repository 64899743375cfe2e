"""The JSON Schema of a profile, for editors and pipelines; made from the same tables as reading.

It says what a profile may look like once some YAML library has turned it into data. What can't
be seen there any more, such as duplicate keys, aliases, or ``on`` without quotes that became
true, only secboot itself reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.kernel.command_line import MULTI_VALUED_NAMES
from secboot.profile import fields
from secboot.profile.parameters import GENERIC, KNOWN
from secboot.profile.requirement import Operator, ParameterRules
from secboot.profile.size import MEMORY_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        "dependentRequired": {"drop": ["extends"]},
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
        fields.Kind.PROFILE: {"type": "string", "pattern": fields.PROFILE_NAME_PATTERN},
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
    several = ParameterRules(
        GENERIC.summary,
        tuple(form for form in GENERIC.forms if form.operator is not Operator.EXACTLY),
        GENERIC.make,
        GENERIC.details,
    )
    return {
        "type": "object",
        "propertyNames": name,
        "properties": {
            **{known: _rules(rules) for known, rules in KNOWN.items()},
            **{multiple: _rules(several) for multiple in sorted(MULTI_VALUED_NAMES)},
        },
        "additionalProperties": _rules(GENERIC),
    }


def _rules(rules: ParameterRules) -> Schema:
    """Every form as a mapping with its operator; two of them in a short form as well."""
    schemas = {form.operator: dict(form.schema) for form in rules.forms}
    ways: list[Schema] = []
    if Operator.EXACTLY in schemas:
        ways.append(schemas[Operator.EXACTLY])
    if Operator.INCLUDES in schemas:
        schemas[Operator.INCLUDES] = _list_of(schemas[Operator.INCLUDES])
        ways.append(schemas[Operator.INCLUDES])
    ways.append(_one_of(schemas.items()))
    return {"description": rules.summary, "anyOf": ways}


def _one_of(operators: Iterable[tuple[Operator, Schema]]) -> Schema:
    return {
        "type": "object",
        "properties": {str(operator): schema for operator, schema in operators},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": item}
