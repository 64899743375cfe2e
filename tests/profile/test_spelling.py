"""Names that are nearly those of known parameters, and names that are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.kernel.command_line import BOOT_CODE_NAMES, LAST_WINS_NAMES, MULTI_VALUED_NAMES
from secboot.profile.fields import ENTRY_FIELDS, IMAGE_FIELDS, PROFILE_FIELDS
from secboot.profile.nodes import ProfileError
from secboot.profile.parameters import KNOWN
from secboot.profile.requirement import Operator
from secboot.profile.spelling import COMMON_NAMES, likely_name, likely_word
from tests.profile.profile_files import parse

PUBLISHED = Path(__file__).parents[1] / "data/parameter-names.txt"
NAMES = [line for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
GUARDED = sorted(
    KNOWN.keys() | BOOT_CODE_NAMES | LAST_WINS_NAMES | MULTI_VALUED_NAMES | COMMON_NAMES
)
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz_.")


def one_off(name: str, at: int, letter: str, how: str) -> str:
    """A name with one letter added, missing or wrong, or with two swapped letters."""
    return {
        "more": name[:at] + letter + name[at:],
        "less": name[:at] + name[at + 1 :],
        "other": name[:at] + letter + name[at + 1 :],
        "swapped": name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :],
    }[how]


def test_no_documented_parameter_looks_misspelled() -> None:
    assert len(NAMES) > 1000
    assert [name for name in NAMES if likely_name(name, KNOWN) is not None] == []


def test_known_names_do_not_look_misspelled_with_either_dash() -> None:
    exact = BOOT_CODE_NAMES | KNOWN.keys()
    others = [name for name in GUARDED if name not in exact and not name.startswith("rd.")]

    assert [name for name in GUARDED if likely_name(name, KNOWN) is not None] == []
    assert [name for name in others if likely_name(name.replace("_", "-"), KNOWN)] == []


@given(
    st.sampled_from(sorted(KNOWN)),
    st.integers(0, 8),
    LETTERS,
    st.sampled_from(["more", "less", "other", "swapped"]),
)
def test_every_name_one_letter_off_an_important_one_is_an_error(
    name: str, at: int, letter: str, how: str
) -> None:
    misspelt = one_off(name, at, letter, how)
    if misspelt == name:
        return
    profile = f"version: 1\nparameters: {{'{misspelt}': '1'}}\n"
    with pytest.raises(ProfileError) as caught:
        parse(profile)

    codes = {problem.code for problem in caught.value.problems}
    # A name cannot start with a dot.
    assert codes <= {"profile.misspelt-name", "profile.parameter-name"}
    if codes == {"profile.misspelt-name"}:
        assert name in str(caught.value.hint)
        assert parse(f"{profile}as_spelled: ['{misspelt}']\n").requirements[0].name == misspelt


@given(
    st.sampled_from([name for name in GUARDED if len(name) > 4]),
    st.integers(0, 30),
    st.sampled_from(["less", "swapped"]),
)
def test_a_name_one_letter_off_a_common_one_looks_like_one(name: str, at: int, how: str) -> None:
    misspelt = one_off(name, at, "", how)

    assert misspelt in {name, *NAMES, *GUARDED} or likely_name(misspelt, KNOWN) in GUARDED


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prto_virt", "prot_virt"),
        ("protvrit", "prot_virt"),
        ("SWIOTBL", "swiotlb"),
        ("CONSOLE", "console"),
        ("rd_shell", "rd.shell"),
        ("rd.driver-blacklist", "rd.driver.blacklist"),
        ("crash_kernel", "crashkernel"),
        ("rooot", "root"),
        ("boo", None),
        ("prot", None),
        ("kvm.nested-x", None),
        ("a", None),
    ],
)
def test_what_a_name_looks_like(name: str, meant: str | None) -> None:
    assert likely_name(name, KNOWN) == meant


@pytest.mark.parametrize(
    "word",
    [
        *("at_most", "at-most", "less_than", "max", "not_present", "no_present", "unpresent"),
        *("unabsent", "not_absent", "missing", "removed", "contains", "inexact", ""),
    ],
)
def test_a_word_with_the_opposite_meaning_is_not_proposed(word: str) -> None:
    assert likely_word(word, Operator) is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("at-least", "at_least"), ("At-Least", "at_least"), ("at last", "at_least")),
        *(("exact", "exactly"), ("include", "includes"), ("exclude", "excludes")),
        *(("presnet", "present"), ("abs", "absent"), ("EXACTLY", "exactly")),
    ],
)
def test_a_misspelled_operator_is_corrected(word: str, meant: str) -> None:
    assert likely_word(word, Operator) == meant


@given(st.sampled_from([each.key for each in (*PROFILE_FIELDS, *ENTRY_FIELDS, *IMAGE_FIELDS)]))
def test_a_key_without_its_last_letter_is_proposed_whole(key: str) -> None:
    for fields in (PROFILE_FIELDS, ENTRY_FIELDS, IMAGE_FIELDS):
        keys = [field.key for field in fields]
        if key in keys:
            assert likely_word(key[:-1], keys) == key


def mistakes(one: str, other: str) -> int:
    """The optimal string alignment distance, by its definition."""
    if not one or not other:
        return len(one) + len(other)
    ways = [
        mistakes(one[1:], other) + 1,
        mistakes(one, other[1:]) + 1,
        mistakes(one[1:], other[1:]) + (one[0] != other[0]),
    ]
    if one[:2] == other[1::-1] and len(one) > 1 < len(other):
        ways.append(mistakes(one[2:], other[2:]) + 1)
    return min(ways)


@given(st.text(alphabet="abp", min_size=1, max_size=5), st.text(alphabet="abp", max_size=5))
def test_what_looks_like_a_known_name_is_two_mistakes_off_at_most(name: str, known: str) -> None:
    expected = known if name != known and mistakes(name, known) <= 2 else None

    assert likely_name(name, (known,)) == expected
