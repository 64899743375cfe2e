"""The schemas of the JSON documents, made from the types and shapes that `reference.documents` names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from reference import documents
from reference.descriptions import KEYS, TYPES
from reference.documents import DOCUMENTS, Shape
from secboot.report.made import Made

_PLAIN: Mapping[object, Shape] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    object: {},
}


def schema(name: str) -> str:
    """Return the text of a document's schema; `name` is such as ``plan/2``."""
    title, shape = DOCUMENTS[name]
    maker = _Maker()
    made = maker.of({"schema": Literal[f"secboot/{name}"], "made?": Made, **shape})
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:secboot:{name.replace('/', ':')}",
        "title": title,
    }
    return (
        json.dumps({**head, **made, "$defs": dict(sorted(maker.definitions.items()))}, indent=2)
        + "\n"
    )


class _Maker:
    """Makes one schema; what its types are stands once, in `definitions`."""

    def __init__(self) -> None:
        self.definitions: Shape = {}

    def of(self, shape: Any) -> Shape:  # noqa: ANN401 - a type, or what is described above
        """Return the schema of a shape or a type."""
        if isinstance(shape, tuple):
            what, more = shape
            made = self.of(what)
            return {**made, "description": more} if more else _or_null(made)
        if isinstance(shape, list):
            return {"type": "array", "items": self.of(shape[0])}
        if isinstance(shape, dict):
            return self._object(shape)
        return self._of_type(shape)

    def _object(self, shape: Shape) -> Shape:
        fields = dict(shape)
        base, others = fields.pop("", None), fields.pop("*", None)
        about: Mapping[str, str] = KEYS
        if base is not None:
            hints = get_type_hints(base, localns=vars(documents))
            fields = {key: kind for key, kind in {**hints, **fields}.items() if kind is not None}
            about = {**KEYS, **TYPES[base.__name__]}
        names = {key: key.removesuffix("?") for key in fields}
        return {
            "type": "object",
            "properties": {
                name: _described(name, self.of(fields[key]), about) for key, name in names.items()
            },
            "required": [key for key, name in names.items() if key == name],
            # Readers accept keys of later versions everywhere; here there are others today.
            **({"additionalProperties": True} if others else {}),
        }

    def _of_type(self, kind: Any) -> Shape:  # noqa: ANN401 - no type says "an annotation"
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if get_origin(kind) is not None:
            return self._of_form(get_origin(kind), get_args(kind))
        if issubclass(kind, StrEnum):
            return {"enum": [each.value for each in kind]}
        return self._reference(kind)

    def _of_form(self, origin: object, arguments: tuple[Any, ...]) -> Shape:
        if origin in {UnionType, Union}:
            return _or_null(self.of(next(each for each in arguments if each is not NoneType)))
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is Mapping and issubclass(arguments[0], StrEnum):
            return self._object({each.value: arguments[1] for each in arguments[0]})
        return {"type": "object", "additionalProperties": self.of(arguments[1])}

    def _reference(self, kind: type[Any]) -> Shape:
        if hasattr(kind, "of_document"):
            return self.of(get_type_hints(kind.of_document, localns=vars(documents))["found"])
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        if name not in self.definitions:
            self.definitions[name] = {}
            about = TYPES[kind.__name__][""]
            self.definitions[name] = {"description": about, **self._object({"": kind})}
        return {"$ref": f"#/$defs/{name}"}


def _described(key: str, made: Shape, about: Mapping[str, str]) -> Shape:
    """Return the schema of a key with its own description, or that of its type or name."""
    text = made.get("description") or about.get(key)
    if text is None:
        raise KeyError(f"a field has no description: {key}")
    kinds = made.get("type", ())
    if "string" in kinds and "digest" in key:
        return {**made, "pattern": "^[0-9a-f]{64}$", "description": f"{text} SHA-256, hexadecimal."}
    least = {"minimum": 1} if "integer" in kinds and key in {"line", "column"} else {}
    return {**made, "description": text, **least}


def _or_null(made: Shape) -> Shape:
    if isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    if "enum" in made:
        return {"enum": [*made["enum"], None]}
    return {"anyOf": [made, {"type": "null"}]}
