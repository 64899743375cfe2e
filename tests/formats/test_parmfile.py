from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.formats.zipl_parameters import join_parameters, parmfile_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("a b", "a b"),
        ("a\nb\n", "a b "),
        ("a\n\n\nb", "a b"),
        ("\n\na", " a"),
        ("a \n b", "a   b"),
        ("a\r\nb", "a\r b"),
        ("a\0b\n", "a"),
        ("a\t\n", "a\t "),
    ],
)
def test_a_parmfile_becomes_one_line(text: str, line: str) -> None:
    assert parmfile_line(text) == line


@pytest.mark.parametrize(
    ("parmfile", "parameters", "line"),
    [
        (None, None, None),
        (None, "", ""),
        (None, "a", "a"),
        ("a\n", None, "a "),
        ("a\n", "b", "a b"),
        ("a", "b", "a b"),
        ("a\t", "b", "a\t b"),
        ("", "b", "b"),
        ("\n", "b", " b"),
        ("a", "", "a "),
    ],
)
def test_a_parmfile_comes_before_the_parameters(
    parmfile: str | None, parameters: str | None, line: str | None
) -> None:
    assert join_parameters(parmfile, parameters) == line


@settings(max_examples=100)
@given(st.text(st.sampled_from("ab \t\n\0\r")), st.text(st.sampled_from("ab ")))
def test_a_joined_line_is_one_line_and_ends_in_the_parameters(text: str, parameters: str) -> None:
    line = join_parameters(text, parameters)

    assert line is not None
    assert "\n" not in line
    assert line.endswith(parameters)
