"""JSON in and out: what is written is read back, and anything else is one error with a path."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.codec import decode, encode, parse
from secboot.codec import document as document_of
from secboot.errors import Location, ParseError
from secboot.named_tuple import NamedTuple
from tests.damaged import Document, put


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Mode(NamedTuple):
    """A type with its own form."""

    bits: int

    def to_document(self) -> str:
        return f"{self.bits:04o}"

    @classmethod
    def of_document(cls, found: str) -> Mode:
        return cls(int(found, 8))


class Part(NamedTuple):
    place: Location | None
    colour: Colour
    data: bytes

    def flaw(self) -> str:
        return "is two bytes or more" if len(self.data) > 1 else ""


class Whole(NamedTuple):
    name: str
    size: int
    good: bool
    mode: Mode
    parts: tuple[Part, ...]
    words: Mapping[str, tuple[str, ...]]
    more: str | None = None
    any: object = None


text = st.text(st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff"), max_size=5)
integers = st.integers(-(2**63), 2**63 - 1)
lines = st.none() | st.integers(1, 100)
parts = st.builds(
    Part,
    st.none() | st.builds(Location, text, lines, lines),
    st.sampled_from(Colour),
    st.binary(max_size=1),
)
wholes = st.builds(
    Whole,
    text,
    integers,
    st.booleans(),
    st.builds(Mode, st.integers(0, 0o7777)),
    st.lists(parts, max_size=3).map(tuple),
    st.dictionaries(text, st.lists(text, max_size=3).map(tuple), max_size=3),
    st.none() | text,
    st.none() | st.booleans() | integers | text,
)
SAMPLE = Whole(
    "a", 1, True, Mode(0o644), (Part(Location("/f", 3), Colour.RED, b"x"),), {"w": ("x", "y")}
)


@given(wholes)
def test_what_is_encoded_is_decoded_again(whole: Whole) -> None:
    document = parse(json.dumps(encode(whole)), "FILE")
    assert decode(Whole, document, "FILE") == whole


def test_a_document_has_the_fields_as_keys() -> None:
    assert encode(SAMPLE) == {
        "name": "a",
        "size": 1,
        "good": True,
        "mode": "0644",
        "parts": [
            {
                "place": {"path": "/f", "line": 3, "column": None},
                "colour": "red",
                "data": "eA==",
            }
        ],
        "words": {"w": ["x", "y"]},
        "more": None,
        "any": None,
    }


def test_what_has_no_form_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="a document cannot contain a set"):
        encode({1})
    with pytest.raises(TypeError, match="a document cannot contain a"):
        decode(set, [], "FILE")


def test_readers_allow_keys_that_they_do_not_know() -> None:
    assert decode(Location, {"path": "/f", "later": [1]}, "FILE") == Location("/f")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("name", to=3), "name: must be a string, not 3"),
        (put("name", to=None), "name: must be a string, not null"),
        (put("name", to={}), "name: must be a string, not an object"),
        (put("name", to="\ud800"), "name: contains half of a surrogate pair"),
        (put("size", to=True), "size: must be an integer, not true"),
        (put("size", to=1.0), "size: must be an integer, not 1.0"),
        (
            put("size", to=10**50),
            f"size: must be an integer, not 1{'0' * 39}...",
        ),
        (put("good", to=1), "good: must be a boolean, not 1"),
        (put("mode", to=0o644), "mode: must be a string, not 420"),
        (put("parts", to={}), "parts: must be an array, not an object"),
        (put("parts", 0, to=[]), "parts[0]: must be an object, not an array"),
        (put("parts", 0, "data", to="x"), 'parts[0].data: must be base64, not "x"'),
        (put("parts", 0, "data", to="\u00e4"), 'parts[0].data: must be base64, not "\\u00e4"'),
        (put("parts", 0, "colour", to="re"), 'parts[0].colour: must be one of red, blue, not "re"'),
        (put("parts", 0, "data", to="AAAA"), "parts[0]: is two bytes or more"),
        (put("parts", 0, "place", to={}), "parts[0].place.path: is missing"),
        (put("words", to="w"), 'words: must be an object, not "w"'),
        (put("words", "w", 1, to=0), "words.w[1]: must be a string, not 0"),
        (lambda document: document.pop("parts"), "parts: is missing"),
    ],
)
def test_an_error_names_the_value(change: Callable[[Document], None], message: str) -> None:
    document = document_of("secboot/whole/1", SAMPLE)
    change(document)
    with pytest.raises(ParseError) as caught:
        decode(Whole, document, "FILE")
    assert str(caught.value) == f"FILE: {message}"


def test_a_document_of_another_kind_is_named_whole() -> None:
    with pytest.raises(ParseError, match="FILE: the document must be an object, not an array"):
        decode(Whole, [], "FILE")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "FILE:1:1: not a JSON document: Expecting value"),
        (b'{\n "a": }', "FILE:2:7: not a JSON document: Expecting value"),
        (b"\xff", "FILE: not a JSON document: not UTF-8"),
        (b"NaN", "FILE: not a JSON document: NaN is not a JSON number"),
        (b"[" * 100_000, "FILE: not a JSON document: nested too deeply"),
        (b"1" * 5000, "FILE: not a JSON document: Exceeds the limit (4300 digits)"),
    ],
)
def test_what_is_no_json_is_one_error(text: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, "FILE")
    assert str(caught.value).startswith(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)


@given(json_values)
def test_any_json_is_a_document_or_one_error(value: object) -> None:
    with suppress(ParseError):
        decode(Whole, value, "FILE")
