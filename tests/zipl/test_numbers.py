"""Numbers of any length are read as the C library reads them; the test calls it."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.formats.numbers import LONG_MAX, at_most, wrapped
from secboot.zipl import scan
from tests.zipl.test_configuration import LINUX, codes, read

LIBC = ctypes.CDLL(None)
LIBC.strtol.restype = ctypes.c_long
HUGE = "9" * 4301
digits = st.text("0123456789", min_size=1, max_size=40) | st.sampled_from(
    [HUGE, "0" * 5000, "0" * 5000 + "7", "1" + "0" * 5000, *map(str, (2**31, 2**32, 2**63, 2**64))]
)
numbers = st.builds("{}{}".format, st.sampled_from(["", "+", "-"]), digits)


@given(digits)
def test_a_number_is_clamped_as_strtol_does(text: str) -> None:
    assert at_most(text) == LIBC.strtol(text.encode(), None, 10)
    assert at_most(text, 41) == min(at_most(text), 41)


@given(numbers, st.sampled_from(["", " ", "x", " x", "\t"]))
def test_a_number_is_read_as_sscanf_does(text: str, rest: str) -> None:
    number, more = ctypes.c_int(), ctypes.c_char()
    data = (text + rest).encode()
    count = LIBC.sscanf(data, b"%d %c", ctypes.byref(number), ctypes.byref(more))

    assert scan.whole_int(text + rest) == (number.value if count == 1 else None)
    assert scan.leading_int(text + rest) == LIBC.atoi(data)


@given(st.text("0123456789abcdef", max_size=60), st.sampled_from([8, 10, 16]))
def test_the_kernel_lets_numbers_wrap(text: str, base: int) -> None:
    valid = "".join(each for each in text if int(each, 16) < base)

    assert wrapped(valid, base, 2**64) == int(valid or "0", base) % 2**64


def test_a_long_number_takes_no_long_time() -> None:
    """Python's own conversion takes hours for a million digits, and refuses more than 4,300."""
    assert at_most("9" * 2**21) == LONG_MAX
    assert wrapped("1" * 2**21, 10, 2**64) < 2**64


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"timeout={HUGE}", ["zipl.menu-timeout"]),
        (f"prompt={HUGE}", ["zipl.menu-prompt"]),
        # Truncated to an int, the smallest long is 0.
        (f"timeout=-{HUGE}", []),
    ],
)
def test_a_number_of_4301_digits_in_zipl_conf(line: str, found: list[str]) -> None:
    auto = f"[defaultboot]\ndefaultauto\ntarget=/boot\n{line}\n"

    assert codes(read(auto + LINUX)) == found
    assert read(f"[defaultboot]\ndefault=linux\n{LINUX}optional={HUGE}\n").accepted
