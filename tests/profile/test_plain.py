"""The reader of plain YAML against the YAML library: it says the same, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.profile.composer import Composer
from secboot.profile.nodes import Node
from secboot.profile.plain import read_plain
from secboot.profile.problems import Problems, ProfileError

SHIPPED = sorted((Path(__file__).parents[2] / "profiles").glob("*.yaml"))

words = st.text(st.sampled_from("aZ09_.,/()=+~- :#\"'[]{}&*!|>%@`?<\\"), max_size=6)
values = st.one_of(
    st.sampled_from(["", " 1", " on", " 512 MiB", " a  b ", "  x # y", " # y", " null", " -", "x"]),
    words.map(lambda word: f" {word}"),
)
keys = st.one_of(st.sampled_from(["a", "b", "swiotlb", "rd.znet", "_x", "1", "-", "?"]), words)
lines = st.one_of(
    st.builds(
        lambda indentation, key, value: f"{' ' * indentation}{key}:{value}",
        st.sampled_from([0, 0, 1, 2, 2, 4, 6]),
        keys,
        values,
    ),
    st.sampled_from(["", "  ", "# c", "  # c", "---", "...", "- a", "  - a", "b", "\tb: 1", "a: 1\r"]),
)  # fmt: skip


def library(text: str) -> Node | None:
    """What the YAML library makes of it, None if there is a problem."""
    problems = Problems()
    node = Composer("p.yaml", problems).compose(text)
    try:
        problems.require_none()
    except ProfileError:
        return None
    return node


@settings(deadline=None, max_examples=600)
@given(st.lists(lines, max_size=6), st.sampled_from(["", "\n"]))
def test_what_is_read_is_what_the_library_reads(texts: list[str], end: str) -> None:
    text = "\n".join(texts) + end

    found = read_plain(text, "p.yaml")

    assert found is None or repr(found) == repr(library(text))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_plain(path: Path) -> None:
    text = path.read_text()

    found = read_plain(text, "p.yaml")

    assert found is not None
    assert repr(found) == repr(library(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a:\n",
        "a: 1\na: 2\n",
        "a: 1\n b: 2\n",
        "a:\n  b: 1\n c: 2\n",
        " a: 1\n",
        "a: 'b'\n",
        "a: [b]\n",
        "a: b: c\n",
        "a: b#c\n",
        "a: b\n  c\n",
        "a:b\n",
        "a:\n- b\n",
        "---\na: 1\n",
        "a: &x 1\n",
        "a: é\n",
        "a:\tb\n",
        "a: 1\r\n",
        "a:\n b:\n  c:\n   d:\n    e: 1\n",
        f"{'a' * 600}: 1\n",
    ],
)
def test_what_goes_beyond_is_left_to_the_library(text: str) -> None:
    assert read_plain(text, "p.yaml") is None


def test_places_are_those_of_the_text() -> None:
    found = read_plain("# c\na:\n    b:   c d   # e\n", "p.yaml")

    assert repr(found) == repr(library("# c\na:\n    b:   c d   # e\n"))
