from __future__ import annotations

import difflib
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.report import diff
from secboot.report.diff import NO_NEWLINE, LineMatcher, unified_diff
from secboot.system.files import FileChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

few_lines = st.lists(st.sampled_from([f"{letter}\n" for letter in "abcdefgh"]), max_size=30)
texts = st.builds(lambda lines, end: "".join(lines) + end, few_lines, st.sampled_from(["", "x"]))


def _diff(old: str, new: str) -> tuple[str, ...]:
    return unified_diff(FileChange("/f", "/f", old.encode(), new.encode()))


_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def _applied(diff: Sequence[str], old: str) -> str:
    """Apply a unified diff as patch(1) would, and check that it contains the old text."""
    rest = old.splitlines(keepends=True)
    made: list[str] = []
    position = 0
    for line, after in pairwise((*diff[2:], "")):
        text = line[1:] + ("" if after == NO_NEWLINE else "\n")
        if hunk := _HUNK.fullmatch(line):
            start = int(hunk[1]) - (hunk[2] != "0")
            made += rest[position:start]
            position = start
        elif line != NO_NEWLINE:
            if line[0] in " -":
                assert rest[position] == text
                position += 1
            if line[0] in " +":
                made.append(text)
    return "".join(made + rest[position:])


@given(few_lines, few_lines)
def test_blocks_are_equal_lines_in_order_that_neither_overlap_nor_adjoin(
    old: list[str], new: list[str]
) -> None:
    *blocks, end = LineMatcher(old, new).get_matching_blocks()

    a = b = 0
    for index, block in enumerate(blocks):
        assert block.size > 0
        assert old[block.a : block.a + block.size] == new[block.b : block.b + block.size]
        assert block.a >= a
        assert block.b >= b
        assert index == 0 or (block.a, block.b) != (a, b)
        a, b = block.a + block.size, block.b + block.size
    assert (end.a, end.b, end.size) == (len(old), len(new), 0)


@settings(max_examples=40)
@given(texts, texts)
def test_a_diff_applied_to_the_old_text_gives_the_new_one(old: str, new: str) -> None:
    assert _applied(_diff(old, new), old) == new


def test_a_change_is_shown_as_difflib_shows_it() -> None:
    old = [f"[s{n}]\n" if n % 5 == 0 else "target=/boot\n" for n in range(100)]
    new = [line if n % 25 else "changed\n" for n, line in enumerate(old)]

    shown = _diff("".join(old), "".join(new))

    expected = difflib.unified_diff(old, new, "/f (now)", "/f (planned)")
    assert [line.rstrip("\n") for line in expected] == list(shown)


def test_equal_texts_have_no_diff() -> None:
    assert _diff("a\n", "a\n") == ()


def test_of_a_thousand_changed_sections_difflib_compares_only_the_lines_that_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = [line for n in range(1000) for line in (f"[s{n}]\n", "target=/boot\n", f"p={n}\n")]
    new = [line.replace("p=", "p=x ") for line in old]
    compared: list[int] = []

    class Counting(difflib.SequenceMatcher[str]):
        def __init__(
            self, isjunk: None, a: Sequence[str], b: Sequence[str], *, autojunk: bool
        ) -> None:
            compared.append(len(a) + len(b))
            super().__init__(isjunk, a, b, autojunk)

    monkeypatch.setattr(diff, "SequenceMatcher", Counting)

    blocks = LineMatcher(old, new).get_matching_blocks()

    assert sum(block.size for block in blocks) == 2000
    assert max(compared) <= 4
    assert sum(compared) <= 4 * 1000
