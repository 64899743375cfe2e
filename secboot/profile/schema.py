"""The JSON Schema of a profile, for editors and pipelines, made from the tables that secboot reads by.

It describes a profile after a YAML library has turned it into data. So it cannot refuse what is
lost by then (duplicate keys, aliases, whether a word was in quotes), what depends on other files (the
extended profile), or what compares two values. Only secboot itself reports these.

yaml-language-server shows `errorMessage` and `markdownDescription`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.kernel.command_line import LAST_WINS_NAMES, MULTI_VALUED_NAMES, wants_value
from secboot.profile import fields
from secboot.profile.generic import RULES as GENERIC
from secboot.profile.parameters import KNOWN, PARAMETERS_LIMIT, rules_for
from secboot.profile.profile import EntryScope
from secboot.profile.requirement import Form, Operator, ParameterRules
from secboot.profile.size import MEMORY_EXAMPLE, MEMORY_PATTERN
from secboot.profile.spelling import misspellings

if TYPE_CHECKING:
    from collections.abc import Mapping as Table

Schema = dict[str, Any]

ID = f"urn:secboot:profile-file:{fields.FORMAT_VERSION}"
FILE = "secboot/profile/profile-file-1.json"
"""The path of the schema in packages and in the wheel; ``packaging/generate`` writes it."""
_PATH_PATTERN = fields.PATH_PATTERN.replace("^", r"^(?!.*/\.{1,2}(/|$))", 1)
_TEXT = ["string", "integer", "number"]
"""The types of a string that may consist of digits: secboot reads a number as it is written."""
_NAME: Schema = {
    "type": _TEXT,
    "pattern": fields.NAME_PATTERN,
    "minimum": 0,
    "errorMessage": "not a kernel parameter name; write the value after the colon",
}


def schema_text() -> str:
    """Return the schema as a JSON document, as it is printed and shipped."""
    import json  # noqa: PLC0415 - nothing else here needs it

    return json.dumps(profile_schema(), indent=2) + "\n"


def profile_schema() -> Schema:
    """Return the schema as data, draft 2020-12; every call makes a new one."""
    no_image = "`entries: none` needs an `image`: add it"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "secboot profile",
        "description": "Kernel parameters of a machine with a role in IBM Secure Execution",
        **_object(fields.PROFILE_FIELDS),
        "anyOf": [
            {"required": ["parameters"], "errorMessage": "add `parameters` or `extends`"},
            {"required": ["extends"], "errorMessage": "add `parameters` or `extends`"},
        ],
        "dependentRequired": {"drop": ["extends"], "as_spelled": ["parameters"]},
        "allOf": [
            {
                "if": {"not": {"required": ["extends"]}},
                "then": {"properties": {"image": {"required": ["parmfile", "output"]}}},
            },
            {
                "if": {
                    "properties": {"entries": {"const": EntryScope.NONE.value}},
                    "required": ["entries"],
                    "not": {"required": ["extends"]},
                },
                "then": {"required": ["image"], "errorMessage": no_image},
            },
            {
                "if": {"not": {"required": ["as_spelled"]}},
                "then": {"properties": {"parameters": {"propertyNames": _spelled_as_known()}}},
            },
        ],
        "$defs": _definitions(),
    }


def _spelled_as_known() -> Schema:
    """Return a schema that refuses names that look like misspellings of known parameters.

    For these it agrees with `likely_name`. The list of other names is too long for a schema.
    """
    return {
        "allOf": [
            {
                "pattern": f"^{name}$|^(?!{misspellings(name)}$)",
                "errorMessage": f"looks like a misspelling of {name!r}; if the name is correct, add it"
                " to `as_spelled`",
            }
            for name in KNOWN
        ]
    }


def _object(table: tuple[fields.Field, ...]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {
            field.key: {
                **_field(field),
                "description": field.meaning,
                "markdownDescription": _markdown(field),
            }
            for field in table
        },
        "additionalProperties": False,
    }
    required = [field.key for field in table if field.required]
    return {**schema, "required": required} if required else schema


def _markdown(field: fields.Field) -> str:
    default = f"\n\nDefault: {field.default}." if field.default else ""
    return f"{field.meaning}{default}\n\nExample: `{field.key}: {field.example}`"


def _field(field: fields.Field) -> Schema:
    profile = "must be the name of a profile, or of a file in the same directory"
    path = "must be an absolute path without `..`, spaces and other special characters"
    by_kind: dict[fields.Kind, Schema] = {
        fields.Kind.VERSION: {
            "const": fields.FORMAT_VERSION,
            "errorMessage": f"write `version: {fields.FORMAT_VERSION}`",
        },
        fields.Kind.CHOICE: {"enum": list(map(str, field.choices))},
        fields.Kind.TEXT: _text(r"^[^\n]*\n*$"),
        fields.Kind.MEMORY: _string(MEMORY_PATTERN, MEMORY_EXAMPLE),
        fields.Kind.PROFILE: {
            **_string(fields.EXTENDED_PATTERN, profile),
            "type": _TEXT,
            "minimum": 0,
        },
        fields.Kind.NAMES: _repeatable(_NAME),
        fields.Kind.PATTERNS: _repeatable(_text(r"^[^\n]*\S[^\n]*\n*$")),
        fields.Kind.BOOLEAN: {"type": "boolean", "errorMessage": "write true or false"},
        fields.Kind.PATH: _string(_PATH_PATTERN, path),
    }
    if field.kind is fields.Kind.PARAMETERS:
        return _parameters()
    if field.kind is fields.Kind.ENTRIES:
        mapping = {**_object(fields.ENTRY_FIELDS), "minProperties": 1}
        return {"anyOf": [{"enum": list(map(str, field.choices))}, mapping]}
    if field.kind is fields.Kind.IMAGE:
        return {**_object(fields.IMAGE_FIELDS), "minProperties": 1}
    return by_kind[field.kind]


def _parameters() -> Schema:
    properties = {known: _rules(rules_for(known)) for known in KNOWN}
    for each in sorted({*MULTI_VALUED_NAMES, *LAST_WINS_NAMES}):
        properties[each] = {"$ref": f"#/$defs/{_definition(each)}"}
    return {
        "type": "object",
        "propertyNames": _NAME,
        "maxProperties": PARAMETERS_LIMIT,
        "properties": properties,
        "additionalProperties": {"$ref": "#/$defs/other"},
    }


def _definition(name: str) -> str:
    several = "several" if name in MULTI_VALUED_NAMES else "last"
    return f"{several}-with-value" if wants_value(name) else several


def _definitions() -> dict[str, Schema]:
    """Return the rules that many parameters have in common."""
    bare = {Operator.BARE}
    last: set[Operator] = {Operator.INCLUDES}
    return {
        "several": _rules(GENERIC, several=True),
        "several-with-value": _rules(_without(bare), several=True),
        "last": _rules(_without(last, listed=False)),
        "last-with-value": _rules(_without(last | bare, listed=False)),
        "other": _rules(GENERIC),
    }


def _without(operators: set[Operator], *, listed: bool = True) -> ParameterRules:
    """Return the generic rules without some forms; without lists unless `listed`."""
    forms = (form for form in GENERIC.forms if form.operator not in operators)
    return GENERIC._replace(
        forms=tuple(form._replace(listed=form.listed and listed) for form in forms)
    )


def _rules(rules: ParameterRules, *, several: bool = False) -> Schema:
    """Return every form as a mapping with its operator; two of them also have a short form.

    `several` is for a parameter that does not accept a single value. All is in one schema, whose
    keywords are each about one type of value, so that an editor need not guess which was meant. The
    limit on keys is in a schema of its own: yaml-language-server counts an empty line as a key, and
    would offer none on the first line of a mapping.
    """
    forms = {form.operator: form for form in rules.forms}
    short: Schema = {}
    if not several:
        short = dict(forms[Operator.EXACTLY].schema)
    if Operator.INCLUDES in forms:
        short = _or_list(short, _list_of(forms[Operator.INCLUDES].schema))
    others = [form.example for form in rules.forms if form.example.startswith("{")]
    both = [str(Operator.INCLUDES), str(Operator.EXCLUDES)]
    together = {"if": {"required": both}, "else": {"maxProperties": 1}}
    return {
        "description": rules.summary,
        "markdownDescription": _markdown_forms(rules),
        **short,
        "type": [*_types(short), "object"],
        "properties": {
            str(each.operator): _operator(each, several=several) for each in rules.forms
        },
        "additionalProperties": False,
        "minProperties": 1,
        **(together if forms.keys() >= {Operator.INCLUDES, Operator.EXCLUDES} else {}),
        "allOf": [{"maxProperties": 2 if Operator.INCLUDES in forms else 1}],
        "errorMessage": f"{short['errorMessage']}; other forms: {', '.join(others)}",
    }


def _markdown_forms(rules: ParameterRules) -> str:
    forms = "".join(f"\n- `{form.example}`: {form.meaning}" for form in rules.forms)
    return f"{rules.summary}\n{forms}"


def _operator(form: Form, *, several: bool) -> Schema:
    schema = dict(form.schema)
    if form.operator in {Operator.INCLUDES, Operator.EXCLUDES}:
        schema = _list_of(schema)
    elif form.listed:
        # Unlike the values that are included, these may be the same.
        schema = _or_list({} if several else schema, _repeatable(schema))
    meaning = next(each.meaning for each in fields.REQUIREMENT_FIELDS if each.key == form.operator)
    return {**schema, "description": meaning}


def _or_list(value: Schema, listed: Schema) -> Schema:
    """A value or a list; with no value, a list only."""
    message = value.get("errorMessage", listed["errorMessage"])
    return {**value, **listed, "type": [*_types(value), "array"], "errorMessage": message}


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _string(pattern: str, message: str) -> Schema:
    return {"type": "string", "pattern": pattern, "errorMessage": message}


def _text(pattern: str) -> Schema:
    """Return the schema of a string of one line. A number is accepted, too: it is read as written."""
    message = "must be a string on one line; put it in quotes"
    return {**_string(pattern, message), "type": _TEXT}


def _repeatable(item: Table[str, Any]) -> Schema:
    """Return the schema of a list whose items may be the same."""
    return {**_list_of(item), "uniqueItems": False}


def _list_of(item: Table[str, Any]) -> Schema:
    message = "must be a list without duplicates, for example [a, b]"
    schema = {"type": "array", "minItems": 1, "uniqueItems": True, "items": dict(item)}
    return {**schema, "errorMessage": message}
