"""Whatever is in /etc/ziplenv: a plan makes every site's line meet the profile, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import Location, RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
from secboot.profile.load import load_profile
from secboot.profile.occurrences import (
    ExactRequirement,
    ListRequirement,
    ValuesRequirement,
)
from secboot.profile.profile import ProfileText
from secboot.profile.requirement import Requirement

STORE = Store(StoreKind.PARAMETERS, "/etc/zipl.conf", "linux")
WORDS = [
    "ro",
    "${A}",
    "${B}",
    "swiotlb=${A}",
    "swiotlb=${B}",
    "swiotlb=1",
    "prot_virt=${A}",
    "x=${B}k",
]
VALUES = ["", "1", "512M", "524288", "swiotlb=7", "quiet swiotlb=64", "prot_virt=0", "a b", "y"]


class NoFiles:
    def read_text(self, _path: str) -> str | None:
        return None

    def read_beside(self, _path: str, _name: str) -> ProfileText | None:
        return None

    def list_names(self, _directory: str) -> tuple[str, ...]:
        return ()


def requirements(name: str) -> tuple[Requirement, ...]:
    return load_profile(name, NoFiles()).requirements


def make(line: str, environment: ZiplEnvironment) -> tuple[Stores, ParameterLine]:
    stores = Stores((), {}, environment)
    stores.add(STORE, line)
    place = Location("/etc/zipl.conf", 3)
    return stores, ParameterLine(
        "linux", place, (STORE,), lambda: stores.text(STORE) or "", expands=True
    )


environments = st.dictionaries(
    st.sampled_from(["A", "B", "3A", "3B", "7A"]), st.sampled_from(VALUES)
).map(lambda held: ZiplEnvironment(tuple(held.items())))


@given(
    words=st.lists(st.sampled_from(WORDS), max_size=4),
    environment=environments,
    name=st.sampled_from(["host", "guest", "guest-large", "guest-secure", "host-off", "guest-off"]),
)
@settings(max_examples=300)
def test_every_site_meets_the_profile_or_it_is_refused(
    words: list[str], environment: ZiplEnvironment, name: str
) -> None:
    line = " ".join(words)
    stores, subject = make(line, environment)
    wanted = requirements(name)
    try:
        fulfil_line(stores, subject, wanted)
    except RefusedError:
        return

    after = subject.joined()
    assert sorted(variables_of(after)) == sorted(variables_of(line))
    for site in (None, "3", "7", "0"):
        as_read = CommandLine.parse(stores.environment.expand(after, site))
        assert all(requirement.judge(as_read).met for requirement in wanted)
    # No variable without a value gets one, and no site is added.
    assert [n for n, _ in stores.environment.variables] == [n for n, _ in environment.variables]
    changed = {f"{site or ''}{variable}" for site, variable, _ in stores.changed_variables}
    assert changed <= {n for n, _ in environment.variables}


X = Location("x")
SINGLE_VALUES: tuple[Requirement, ...] = (
    ValuesRequirement("x", X, ("1k",), ("512Mk",)),
    ValuesRequirement("x", X, (), ("512Mk", "k", "2")),
    ListRequirement("x", X, ("1k", "2")),
    ListRequirement("x", X, ("2",)),
    ExactRequirement("x", X, None),
)


@given(
    words=st.lists(st.sampled_from(["ro", "${A}", "x=${B}k", "x=${A}", "x=2", "x"]), max_size=4),
    environment=st.dictionaries(
        st.sampled_from(["A", "B", "3A", "3B"]), st.sampled_from(["", "1", "512M", "2", "a x=2"])
    ).map(lambda held: ZiplEnvironment(tuple(held.items()))),
    requirement=st.sampled_from(SINGLE_VALUES),
)
@settings(max_examples=300)
def test_single_values_are_met_at_every_site_or_refused(
    words: list[str], environment: ZiplEnvironment, requirement: Requirement
) -> None:
    line = " ".join(words)
    stores, subject = make(line, environment)
    try:
        fulfil_line(stores, subject, (requirement,))
    except RefusedError:
        return

    after = subject.joined()
    assert sorted(variables_of(after)) == sorted(variables_of(line))
    for site in (None, "3", "7"):
        as_read = CommandLine.parse(stores.environment.expand(after, site))
        assert requirement.judge(as_read).met


@pytest.mark.parametrize(
    ("line", "held", "name", "changed"),
    [
        ("swiotlb=${A}", {"A": "1"}, "guest", {"A": "262144"}),
        ("swiotlb=${A}", {"A": "524288"}, "guest", {}),
        ("swiotlb=${A}", {"A": "524288", "3A": "1"}, "guest", {"3A": "262144"}),
        ("ro ${B}", {"B": "quiet swiotlb=64"}, "guest", {"B": "quiet swiotlb=262144"}),
        ("ro ${B}", {"B": "quiet swiotlb=64"}, "guest-off", {"B": "quiet"}),
        ("prot_virt=${A}", {"A": "0"}, "host", {"A": "1"}),
    ],
)
def test_the_value_is_edited_in_place(
    line: str, held: dict[str, str], name: str, changed: dict[str, str]
) -> None:
    stores, subject = make(line, ZiplEnvironment(tuple(held.items())))

    fulfil_line(stores, subject, requirements(name))

    assert subject.joined() == line
    assert {f"{s or ''}{n}": value for s, n, value in stores.changed_variables} == changed


@pytest.mark.parametrize(
    ("line", "held", "name"),
    [
        # No value that could be changed:
        ("swiotlb=${A}", {}, "guest"),
        ("swiotlb=${A}", {"3A": "1"}, "guest"),
        # The name is outside the variable, so editing the variable cannot remove it:
        ("prot_virt=${A}", {"A": "1"}, "host-off"),
        # The change would have to remove the quotes around the word:
        ('"swiotlb=${A}"', {"A": "1"}, "guest"),
        # Only one of the two places could keep it:
        ("${A} swiotlb=${A}", {}, "guest"),
        # Two variables make one value:
        ("swiotlb=${A}${B}", {"A": "1", "B": "2"}, "guest"),
    ],
)
def test_a_variable_is_never_replaced_by_a_value(
    line: str, held: dict[str, str], name: str
) -> None:
    stores, subject = make(line, ZiplEnvironment(tuple(held.items())))

    with pytest.raises(RefusedError, match="cannot change 'linux'") as info:
        fulfil_line(stores, subject, requirements(name))

    assert subject.joined() == line
    assert info.value.hint is not None
