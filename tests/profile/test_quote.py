"""The quoted line of an error: at most 80 columns, with a caret below the place, and only of profiles."""

from __future__ import annotations

import time
import unicodedata
from string import ascii_lowercase as LETTERS  # noqa: N812 - of the alphabet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.errors import Location
from secboot.profile.nodes import Mapping, ProfileError, Scalar
from secboot.profile.quote import WIDTH, Quotes
from tests.profile.profile_files import parse

MARGIN = len("    2 | ")
ODD = st.text(alphabet="ab :'\t\x1b\x7f\udc80\u202e日本語e\u0301é\U0001f600\ufeff", max_size=300)


def quote(line: str, column: int) -> str:
    """The quote from a profile with this line after the first."""
    known = Scalar("version", plain=True, location=Location("x", 1, 1))
    texts = {"x": (f"version: 1\r\n{line}\nlast", Mapping(((known, known),), known.location))}
    return Quotes(texts).at(Location("x", 2, column))


def columns(text: str) -> int:
    """The number of columns of a text on a terminal (Unicode Standard Annex 11)."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        ("a: b", 4, "    2 | a: b\n      |    ^"),
        ("a: b", 9, "    2 | a: b\n      |     ^"),
        ("\tb", 2, "    2 | \\tb\n      |   ^"),
        ("\x1b[31mb", 2, "    2 | \\x1b[31mb\n      |     ^"),
        ("日本: b", 5, "    2 | 日本: b\n      |       ^"),
        ("e\u0301: b", 5, "    2 | e\u0301: b\n      |    ^"),
        ("\udce9: b", 4, "    2 | \\xe9: b\n      |       ^"),
    ],
)
def test_the_caret_is_below_the_place(line: str, column: int, shown: str) -> None:
    assert quote(line, column) == shown


def test_a_line_that_is_too_long_is_cut_around_the_place() -> None:
    line = "x" * 200 + "HERE" + "y" * 200

    text, caret = quote(line, 201).split("\n")

    assert text.startswith("    2 | ...xxx")
    assert text.endswith("yyy...")
    assert text[caret.index("^") :].startswith("HERE")
    assert WIDTH - 2 <= len(text) <= WIDTH


@given(ODD, st.integers(1, 320))
def test_no_line_is_wider_than_a_terminal_or_has_characters_that_are_not_printable(
    line: str, column: int
) -> None:
    text, caret = quote(f":{line}", column).split("\n")

    assert text.isprintable()
    assert columns(text) <= WIDTH
    assert len(caret) <= WIDTH + 1
    assert caret[: MARGIN - 2].isspace()
    assert caret.endswith("^")


@given(st.text(alphabet="abc日é", max_size=200), st.text(alphabet="x\t日", max_size=200))
def test_the_caret_is_below_the_character_at_the_column(before: str, after: str) -> None:
    text, caret = quote(f"{before}@{after}", len(before) + 1).split("\n")

    assert columns(text[: text.index("@")]) == len(caret) - 1


@pytest.mark.parametrize(
    "location",
    [
        Location("x"),
        Location("x", 1),
        Location("x", 2, 1),
        Location("x", 9, 1),
        Location("y", 1, 1),
    ],
    ids=str,
)
def test_nothing_is_quoted_without_a_location(location: Location) -> None:
    assert Quotes({"x": ("version: 1\n", None)}).at(location) == ""


def test_time_grows_only_linearly_with_the_errors() -> None:
    """Each line and each file is read once; the limit is far above the usual time."""
    one_line = f"version: 1\nparameters: {{{', '.join(f'a{n}: on' for n in range(490))}, b: '{'x' * 50_000}'}}\n"
    keys = "".join(f"rol{a}{b}: 1\n" for a in LETTERS for b in LETTERS if a + b != "es")
    begun = time.process_time()

    assert quotes_of(one_line).count("^") == 490
    assert quotes_of(f"version: 1\n{keys}").count("^") > 500
    assert time.process_time() - begun < 20


FOREIGN = {
    "compose": 'version: "3"\nservices:\n  db: {password: Secret0}\n',
    "storage class": "kind: StorageClass\nparameters:\n  prot-virt: Secret0\n  : Secret0\n",
    "cut off": "version: 1\npassword: Secret0\n\tx",
    "a list": "- version: 1\n- version: [Secret0\n",
    "text": "version: 1\nSecret0 is a word\n  : x\n\t",
    "ini": "[Secret0]\nversion: 1\n",
}


def quotes_of(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        parse(text)
    return "\n".join(caught.value.quotes)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_not_a_profile_is_not_quoted(name: str) -> None:
    assert quotes_of(FOREIGN[name]).strip() == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 2\nparameters: {a: 1}\n", "version: 2"),
        ("parameters:\n  a: on\n", "  a: on"),
        ("version: 1\nparams:\n  a: 1\n", "params:"),
        ("version: 1\nparameters:\n\ta: 1\n", "\\ta: 1"),
        ("# x\r\nversion: 1\r\nparameters: {a: [}\r\n", "parameters: {a: [}"),
        ("\ufeffversion: 1\nrole: gast\nextends: guest\n", "role: gast"),
        ("\ufeffversion: 1\nextends: [a}\n", "extends: [a}"),
        ("version: 1\ndrop:\n- a\nextends: [a}\n", "extends: [a}"),
    ],
)
def test_the_line_of_a_profile_is_quoted(text: str, line: str) -> None:
    assert f" | {line}\n" in quotes_of(text)


def test_an_extended_profile_is_quoted_from_its_own_file() -> None:
    with pytest.raises(ProfileError) as caught:
        parse("version: 1\nextends: base\n", base="version: 1\nparameters: {prto_virt: 1}\n")

    assert caught.value.quotes == ("    2 | parameters: {prto_virt: 1}\n      |              ^",)
