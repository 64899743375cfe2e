from __future__ import annotations

import pytest

from secboot.profile.profile import EntryScope, EntrySelection

# selection, name, is_default, is_rescue, why not
CASES = [
    (EntrySelection(), "linux", False, False, None),
    (EntrySelection(), "0-rescue", False, True, None),
    (EntrySelection(rescue=False), "0-rescue", True, True, "excludes rescue entries"),
    (EntrySelection(rescue=False), "linux", False, False, None),
    (EntrySelection(EntryScope.DEFAULT), "linux", True, False, None),
    (EntrySelection(EntryScope.DEFAULT), "linux", False, False, "only to the default entry"),
    (EntrySelection(include=("Red*",)), "Red Hat (5.14) 9.6 (Plow)", False, False, None),
    (EntrySelection(include=("red*",)), "Red Hat", False, False, "not included"),
    (EntrySelection(include=("a", "l?nux")), "linux", False, False, None),
    (EntrySelection(include=("a[b]",)), "a[b]", False, False, None),
    (EntrySelection(include=("a[b]",)), "ab", False, False, "not included"),
    (EntrySelection(exclude=("*old",)), "linux-old", False, False, "excludes '*old'"),
    (EntrySelection(include=("*",), exclude=("b",)), "b", False, False, "excludes 'b'"),
]


@pytest.mark.parametrize(("selection", "name", "is_default", "is_rescue", "why_not"), CASES)
def test_which_entries_a_profile_applies_to(
    selection: EntrySelection,
    name: str,
    *,
    is_default: bool,
    is_rescue: bool,
    why_not: str | None,
) -> None:
    reason = selection.why_not(name, is_default=is_default, is_rescue=is_rescue)

    assert selection.judge(name, is_default=is_default, is_rescue=is_rescue) is (reason is None)
    assert (reason is None) is (why_not is None)
    assert (why_not or "") in (reason or "")


def test_patterns_that_match_nothing_are_named() -> None:
    selection = EntrySelection(include=("linux", "typo"), exclude=("old*", "nothing*"))

    assert selection.unmatched(("linux", "old-1")) == ("typo", "nothing*")


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (EntrySelection(), "all entries"),
        (EntrySelection(EntryScope.DEFAULT), "the default entry"),
        (EntrySelection(include=("a", "b")), "entries 'a', 'b'"),
        (EntrySelection(exclude=("a",), rescue=False), "all entries except 'a', rescue entries"),
    ],
)
def test_descriptions(selection: EntrySelection, text: str) -> None:
    assert selection.describe() == text
