"""The environment block, and how ``${NAME}`` is expanded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.formats.zipl_parameters import SIGNATURE, ZiplEnvironment, variables_of


def block(text: str) -> bytes:
    return (SIGNATURE + text.encode()).ljust(4096, b"\0")


def test_sites_come_before_the_common_values() -> None:
    found = ZiplEnvironment.parse(block("A=common\n2A=second\nB=\n"))

    assert found.sites == ("2",)
    assert found.expand("x=${A} y=${B}.", "2") == "x=second y=."
    assert found.expand("x=${A}${B} ${C}", "1") == "x=common "
    assert found.expand("$A ${A") == "$A ${A"


def test_values_are_not_searched_again() -> None:
    assert ZiplEnvironment.parse(block("A=${B}\nB=b\n")).expand("${A}") == "${B}"


@pytest.mark.parametrize("data", [b"", b"A=1\n", SIGNATURE + b"A=1", SIGNATURE + b"=1\n"])
def test_a_damaged_block(data: bytes) -> None:
    with pytest.raises(ValueError, match="environment block"):
        ZiplEnvironment.parse(data)


def test_an_empty_block_takes_all_variables_away() -> None:
    line = "a ${X} b"

    assert variables_of(line) == ("X",)
    assert ZiplEnvironment.parse(block("")).expand(line) == "a  b"


@given(st.text().filter(lambda text: "${" not in text))
def test_a_line_without_variables_stays(line: str) -> None:
    assert ZiplEnvironment((("A", "1"),)).expand(line) == line
