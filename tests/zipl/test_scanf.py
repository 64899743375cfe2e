from __future__ import annotations

import pytest

from secboot.zipl.scan import geometry, leading_int, split_address, whole_int


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        (" +2 ", 2),
        ("\v-1\v", -1),
        ("4294967297", 1),
        ("18446744073709551617", -1),
        ("-9223372036854775809", 0),
        ("0x1", None),
        ("1x", None),
        ("", None),
        ("1 2", None),
        ("\u0661", None),
    ],
)
def test_a_number_must_be_all_there_is(text: str, number: int | None) -> None:
    assert whole_int(text) == number


@pytest.mark.parametrize(("text", "number"), [("1", 1), (" 1x", 1), ("x", 0), ("", 0), ("-3 ", -3)])
def test_a_leading_number_is_enough(text: str, number: int) -> None:
    assert leading_int(text) == number


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,2,3", (1, 2, 3)),
        ("1, 2,\t3 ", (1, 2, 3)),
        ("1 ,2,3", None),
        ("1,2,3x", None),
        ("1,2", None),
    ],
)
def test_a_geometry_is_three_numbers(text: str, numbers: tuple[int, int, int] | None) -> None:
    assert geometry(text) == numbers


@pytest.mark.parametrize(
    ("value", "path", "address"),
    [
        ("/boot/k", "/boot/k", None),
        ("/boot/k,0x10000", "/boot/k", 0x10000),
        ("/boot/k,2000000", "/boot/k", 0x2000000),
        ("/boot/k, 5z", "/boot/k", 5),
        ("/boot/k,beta", "/boot/k", 0xBE),
        ("/boot/k,-5", "/boot/k", (1 << 64) - 5),
        ("/boot/k,x5", "/boot/k,x5", None),
        ("/boot/k,", "/boot/k,", None),
        ("/boot/k,a,b", "/boot/k,a", 0xB),
        ("/boot/k,0xfffffffffffffffff", "/boot/k", (1 << 64) - 1),
        ("", "", None),
    ],
)
def test_a_load_address_is_hexadecimal_after_the_last_comma(
    value: str, path: str, address: int | None
) -> None:
    assert split_address(value) == (path, address)
