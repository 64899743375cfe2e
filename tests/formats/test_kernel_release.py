from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.formats.kernel_release import release_in_name, release_number


@pytest.mark.parametrize(
    ("path", "release"),
    [
        ("/boot/vmlinuz-5.4.0-42-generic", "5.4.0-42-generic"),
        ("/boot/vmlinuz-4.18.0-553.el8_10.s390x", "4.18.0-553.el8_10.s390x"),
        ("/boot/image-5.3.18-24.52-default.gz", "5.3.18-24.52-default"),
        ("/boot/linux_6.12", "6.12"),
        ("/boot/vmlinuz", None),
        ("/boot/vmlinuz-5", None),
        ("/boot/vmlinuz-0-rescue-a1b2c3d4e5f60718293a4b5c6d7e8f90", None),
        ("/boot-5.4/image", None),
        ("", None),
    ],
)
def test_the_release_in_a_file_name(path: str, release: str | None) -> None:
    assert release_in_name(path) == release


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5.14.0-427.el9.s390x", (5, 14)),
        ("6.12", (6, 12)),
        ("6.12foo", (6, 12)),
        ("6", None),
        ("6.x", None),
        ("next-20260101", None),
        ("99999.1", None),
        ("5.99999", None),
        ("\u0665.\u0664", None),
        ("", None),
    ],
)
def test_the_number_of_a_release(text: str, number: tuple[int, int] | None) -> None:
    assert release_number(text) == number


@given(st.text())
def test_any_text_may_be_none(text: str) -> None:
    release_number(text)
    release_in_name(text)
