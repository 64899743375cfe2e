from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.zipl.order import package_key, rpm_version_key
from tests.packaging.programs import require, run

# Adjacent pairs of versions in ascending order.
ASCENDING = [
    ["~rc1", "", "^git", "a", "1"],
    ["1~rc1", "1", "1^git1", "1.a", "1.0", "1.1"],
    ["553.el8_10.s390x", "553.22.1.el8_10.s390x"],
    ["0.9", "00.10", "1.2", "1.010", "1.11"],
    ["9" * 5000, "1" + "0" * 5000],
]
# File names as zipl sees them, in ascending order.
FILES = [
    [
        "0123abcd-0-rescue.conf",
        "0123abcd-4.18.0-80.el8.s390x.conf",
        "0123abcd-4.18.0-147.el8.s390x.conf",
        "0123abcd-4.18.0-553.el8_10.s390x.conf",
        "0123abcd-4.18.0-553.22.1.el8_10.s390x.conf",
    ],
    # The machine's name comes first, as letters and digits.
    ["abc-6.0-1.conf", "0abc-5.0-1.conf"],
    # ".conf" is part of the release.
    ["k-1-1^git.conf", "k-1-1.conf", "k-1-1.1.conf"],
    ["only-1.conf", "only-2-1.conf", "only-2.conf", "only.conf"],
]


@pytest.mark.parametrize("row", ASCENDING, ids=lambda row: row[0][:12] or "empty")
def test_versions_sort_as_rpm_sorts_them(row: list[str]) -> None:
    keys = [rpm_version_key(version) for version in row]

    assert all(one < other for one, other in pairwise(keys))


@pytest.mark.parametrize("row", FILES, ids=lambda row: row[0])
def test_file_names_sort_by_name_version_release(row: list[str]) -> None:
    keys = [package_key(name) for name in row]

    assert all(one < other for one, other in pairwise(keys))


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0."), ("1", "001"), ("a_b", "a.b")])
def test_separators_and_leading_zeros_do_not_count(one: str, other: str) -> None:
    assert rpm_version_key(one) == rpm_version_key(other)


@given(st.lists(st.text(), max_size=8))
def test_any_names_have_an_order(names: list[str]) -> None:
    keys = sorted(package_key(name) for name in names)

    assert len(keys) == len(names)


def test_thousands_of_versions_compare_as_the_rpm_program_says() -> None:
    """Calls rpm through its built-in Lua interpreter."""
    rpm = require("rpm")
    chosen = random.Random(20261125)  # noqa: S311 - cases for a test
    parts = ["0", "1", "01", "10", "553", "22", "a", "el8", "rc", ".", "_", "~", "^", "+"]
    pairs = [
        tuple("".join(chosen.choices(parts, k=chosen.randrange(1, 7))) for _ in range(2))
        for _ in range(6000)
    ]
    script = "".join(f'print(rpm.vercmp("{one}", "{other}") .. ",")\n' for one, other in pairs)
    reported = []
    for start in range(0, len(pairs), 1000):
        lines = script.split("\n")[start : start + 1000]
        done = run(rpm, "--eval", "%{lua: " + "\n".join(lines) + "}")
        assert done.returncode == 0, done.stderr
        reported += [int(line) for line in done.stdout.strip().strip(",").split(",")]

    assert [compared(one, other) for one, other in pairs] == reported


def compared(one: str, other: str) -> int:
    left, right = rpm_version_key(one), rpm_version_key(other)
    return (left > right) - (left < right)
