from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.visible import visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, ä and €", "plain text, ä and €"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\ntwo\ttab\r", r"one\ntwo\ttab\r"),
        (b"\xff".decode("utf-8", "surrogateescape"), r"\xff"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("\x9b", r"\x9b"),
        ("a\\b", r"a\b"),
    ],
)
def test_what_is_shown(text: str, expected: str) -> None:
    assert visible(text) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_reaches_a_terminal_raw(text: str) -> None:
    shown = visible(text)

    assert shown.isprintable()
    assert visible(shown) == shown
