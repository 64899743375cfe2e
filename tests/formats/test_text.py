from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.formats.text import byte_length, require_one_line, split_lines


@given(st.text())
def test_lines_are_ended_by_newlines_and_nothing_else(text: str) -> None:
    lines = split_lines(text)

    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
    assert all("\n" not in line[:-1] for line in lines)
    assert "" not in lines


def test_a_length_is_that_of_the_bytes() -> None:
    assert byte_length("a\xe4\udcff") == 4


@pytest.mark.parametrize("value", ["a\n", "\0", "\ud800"])
def test_what_no_line_can_hold_is_refused(value: str) -> None:
    with pytest.raises(RefusedError, match="the file cannot hold"):
        require_one_line(value, "the file")
