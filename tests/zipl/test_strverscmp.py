from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.zipl.order import strverscmp, version_key
from tests.available import not_here

# adjacent pairs of strings in ascending order; the first two rows are from strverscmp(3)
ASCENDING = [
    ["000", "00", "01", "010", "09", "0", "1", "9", "10"],
    ["a", "a00", "a0", "a1"],
    ["6.1.0-1", "6.1.0~rc1"],
    ["6.1.8", "6.1.9", "6.1.10"],
    ["0-rescue-12ab", "4.18.0-80.el8", "4.18.0-147.el8"],
    ["", "1", "a"],
    ["1.01", "1.1"],
    [".conf", "C9.conf", "a.conf", "\xe4"],
]


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


@pytest.mark.parametrize("row", ASCENDING, ids=" ".join)
def test_strings_sort_as_glibc_sorts_them(row: list[str]) -> None:
    assert sorted(sorted(row), key=version_key) == row


@settings(max_examples=500)
@given(st.text(st.sampled_from("0012a.~-\xe9")), st.text(st.sampled_from("0012a.~-")), st.data())
def test_it_compares_as_the_real_one(left: str, tail: str, data: st.DataObject) -> None:
    try:
        real = ctypes.CDLL(None).strverscmp
    except AttributeError:
        not_here("this C library has no strverscmp")
    right = left[: data.draw(st.integers(0, len(left)))] + tail

    assert sign(strverscmp(left, right)) == sign(real(left.encode(), right.encode()))
