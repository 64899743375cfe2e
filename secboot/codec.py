"""Plain data to JSON and back: plans, records, status documents.

The type decides the form of a document: a NamedTuple is an object whose keys are its fields, a tuple an
array (also a frozenset, which is only written), a mapping an object, bytes are base64, a StrEnum is its
value. A type with a different form has a method `to_document` and a class method `of_document`, which
raises ValueError; it gets a value of the type with which its argument `found` is annotated. A type with
restrictions beyond the types of its fields has a method `flaw`, which returns what is wrong, or "".

Unknown keys are ignored when a document is read, so that a later version can add some. A key whose field
has a default may be missing. Everything else is checked: a document that is damaged or of the wrong kind
is one ParseError with the path of the value, such as ``files[0].before``.

The annotations of a type are evaluated when it is first decoded, so what they name must be imported at run
time in the module of the type.
"""

from __future__ import annotations

import json
import types
import typing
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from secboot.errors import Location, ParseError

_Decoded = TypeVar("_Decoded")
_Decoder = Callable[[object], Any]
_INTEGERS = range(-(2**63), 2**63)
_FORM = "found"
_SHOWN = 40
"""How many characters of a wrong value a message quotes."""


def document(schema: str, value: tuple[object, ...], **more: object) -> dict[str, object]:
    """Return the document of a NamedTuple, named `schema`, with additional keys."""
    return {"schema": schema, **fields(value), **more}


def encode(value: object) -> object:
    """Return `value` in a form that `json.dumps` accepts; TypeError if it has no such form."""
    if value is None or type(value) in {str, int, bool}:
        return value
    if isinstance(value, tuple):
        if hasattr(value, "to_document"):
            return value.to_document()
        return fields(value) if hasattr(value, "_fields") else [encode(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): encode(part) for key, part in value.items()}
    return _encode_rare(value)


def _encode_rare(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    raise TypeError(f"a document cannot contain a {type(value).__name__}")


def fields(value: Any) -> dict[str, object]:  # noqa: ANN401 - no type says "a NamedTuple"
    """Return the object that represents a NamedTuple in a document."""
    return {name: encode(part) for name, part in zip(value._fields, value, strict=True)}


def decode(kind: type[_Decoded], data: object, where: str) -> _Decoded:
    """Return the JSON value `data` as a `kind`; `where` is the file that it comes from.

    Raises ParseError with the path of the first wrong value.
    """
    annotation: Any = kind
    try:
        made: _Decoded = _decoder(annotation)(data)
    except _WrongError as error:
        raise ParseError(f"{error.path()} {error.reason}", location=Location(where)) from None
    return made


def parse_document(text: bytes | str, where: str, *schemas: str) -> dict[str, object]:
    """Return the JSON object in `text`, if it is a document of one of these schemas.

    Otherwise raises ParseError, which names the file `where`.
    """
    found = parse(text, where)
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(found, dict) and schema in schemas:
        return found
    what = f"a document of {schema}" if isinstance(schema, str) else "a document without a schema"
    raise ParseError(f"{what}; expected {' or '.join(schemas)}", location=Location(where))


def parse(text: bytes | str, where: str) -> object:
    """Return the JSON value in `text`; ParseError, which names the file, if it is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = Location(where, error.lineno, error.colno)
        raise ParseError(f"not a JSON document: {error.msg}", location=place) from None
    except RecursionError:
        reason = "nested too deeply"
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except ValueError as error:  # a number with thousands of digits, or NaN
        reason = str(error).partition(";")[0]
    raise ParseError(f"not a JSON document: {reason}", location=Location(where))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


class _WrongError(Exception):
    """A value does not have the required type; `steps` lead to it, innermost first."""

    def __init__(self, reason: str, *steps: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = list(steps)

    def path(self) -> str:
        """Return ``files[0].before:``, or a word for the whole document."""
        steps = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in reversed(self.steps)]
        return "".join(steps).removeprefix(".") + ":" if steps else "the document"


def _not_a(kind: str, value: object) -> _WrongError:
    if isinstance(value, dict | list):
        shown = "an object" if isinstance(value, dict) else "an array"
    else:
        shown = json.dumps(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return _WrongError(f"must be {kind}, not {shown}")


@cache
def _decoder(kind: Any) -> _Decoder:  # noqa: ANN401 - no type says "an annotation"
    """Return a function that checks a JSON value and returns a `kind`, or raises _WrongError."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        (present,) = (argument for argument in arguments if argument is not types.NoneType)
        return _optional(_decoder(present))
    if origin is tuple and arguments[1:] == (...,):
        return _array(_decoder(arguments[0]))
    if origin is Mapping:
        return _mapping(_decoder(arguments[1]))
    return _PLAIN.get(kind) or _decoder_of_class(kind)


def _decoder_of_class(kind: type[Any]) -> _Decoder:
    if hasattr(kind, "of_document"):
        return _own_form(kind)
    if hasattr(kind, "_fields"):
        return _object(kind)
    if issubclass(kind, StrEnum):
        return _word(kind)
    raise TypeError(f"a document cannot contain a {kind.__name__}")


def _text(value: object) -> str:
    if type(value) is not str:
        raise _not_a("a string", value)
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _WrongError("contains half of a surrogate pair") from None
    return value


def _integer(value: object) -> int:
    if type(value) is not int or value not in _INTEGERS:
        raise _not_a("an integer", value)
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise _not_a("a boolean", value)
    return value


def _bytes(value: object) -> bytes:
    try:
        return b64decode(_text(value), validate=True)
    except ValueError:
        raise _not_a("base64", value) from None


_PLAIN: Mapping[object, _Decoder] = {
    str: _text,
    int: _integer,
    bool: _truth,
    bytes: _bytes,
    object: lambda value: value,
}


def _optional(present: _Decoder) -> _Decoder:
    return lambda value: None if value is None else present(value)


def _word(kind: type[StrEnum]) -> _Decoder:
    words = {word.value: word for word in kind}

    def decoder(value: object) -> StrEnum:
        if type(value) is not str or value not in words:
            raise _not_a(f"one of {', '.join(words)}", value)
        return words[value]

    return decoder


def _own_form(kind: type[Any]) -> _Decoder:
    form = _decoder(typing.get_type_hints(kind.of_document)[_FORM])

    def decoder(value: object) -> object:
        made = form(value)
        try:
            return kind.of_document(made)
        except ValueError as error:
            raise _WrongError(str(error)) from None

    return decoder


def _part(step: str | int, part: _Decoder, value: object) -> object:
    try:
        return part(value)
    except _WrongError as error:
        error.steps.append(step)
        raise


def _array(part: _Decoder) -> _Decoder:
    def decoder(value: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise _not_a("an array", value)
        return tuple([_part(number, part, item) for number, item in enumerate(value)])

    return decoder


def _mapping(part: _Decoder) -> _Decoder:
    def decoder(value: object) -> Mapping[str, object]:
        if type(value) is not dict:
            raise _not_a("an object", value)
        return {_text(key): _part(key, part, item) for key, item in value.items()}

    return decoder


def _object(kind: type[Any]) -> _Decoder:
    hints, defaults = typing.get_type_hints(kind), kind._field_defaults
    parts = [(name, _decoder(hints[name])) for name in kind._fields]
    has_flaws = hasattr(kind, "flaw")
    required = [name for name in kind._fields if name not in defaults]

    def decoder(value: object) -> object:
        if type(value) is not dict:
            raise _not_a("an object", value)
        if missing := [name for name in required if name not in value]:
            raise _WrongError("is missing", missing[0])
        given = {name: _part(name, part, value[name]) for name, part in parts if name in value}
        made = kind(**given)
        if has_flaws and (flaw := made.flaw()):
            raise _WrongError(flaw)
        return made

    return decoder
