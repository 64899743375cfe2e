"""Every requirement, whatever it requires."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.errors import Location, RefusedError
from secboot.formats.kernel_cmdline import BLANKS, CommandLine
from secboot.kernel.command_line import canonical
from secboot.profile.occurrences import (
    AbsentRequirement,
    ExactRequirement,
    ListRequirement,
    PresentRequirement,
    ValuesRequirement,
)
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement
from secboot.profile.requirement import Requirement, put
from secboot.profile.swiotlb import Bound, SwiotlbSizeRequirement
from tests.command_lines import lines

HERE = Location("test.yaml", 1, 1)
REQUIREMENTS: tuple[Requirement, ...] = (
    *(ProtVirtRequirement("prot_virt", HERE, hosting) for hosting in Hosting),
    *(
        SwiotlbSizeRequirement("swiotlb", HERE, bound, blocks)
        for bound in Bound
        for blocks in (1, 1000, 32768, 262144, 300000, 1048448)
    ),
    AbsentRequirement("swiotlb", HERE),
    ExactRequirement("k.a_b", HERE, "1"),
    ExactRequirement("k.a_b", HERE, ""),
    ExactRequirement("k.a_b", HERE, "x y"),
    ExactRequirement("mem", HERE, "4G"),
    PresentRequirement("k.a-b", HERE),
    AbsentRequirement("k.a_b", HERE),
    AbsentRequirement("console", HERE),
    ValuesRequirement("console", HERE, ("tty0", "ttysclp0", "tty0")),
    ValuesRequirement("rd.dasd", HERE, ("0.0.0121",)),
    ValuesRequirement("console", HERE, ("hvc0", "x y"), ("tty0", "ttysclp0")),
    ValuesRequirement("console", HERE, (), ("tty0", "")),
    ValuesRequirement("k.a_b", HERE, (None,), ("1",)),
    ValuesRequirement("mem", HERE, ("2G",), ("4G",)),
    ExactRequirement("k.a_b", HERE, None),
    ListRequirement("console", HERE, ("tty0", "ttysclp0")),
    ListRequirement("console", HERE, ("ttysclp0",)),
    ListRequirement("k.a_b", HERE, ("1", "1", "2", "1")),
    ListRequirement("mem", HERE, ("4G", "x y")),
)
ANY_REQUIREMENT = st.sampled_from(REQUIREMENTS)


@given(lines(), ANY_REQUIREMENT)
def test_a_fulfilled_line_meets_the_requirement(text: str, requirement: Requirement) -> None:
    fulfilled = requirement.fulfil(CommandLine.parse(text))

    assert requirement.judge(fulfilled).met, requirement.judge(fulfilled).reason


@given(lines(), ANY_REQUIREMENT)
def test_a_line_that_meets_it_does_not_change(text: str, requirement: Requirement) -> None:
    line = CommandLine.parse(text)
    fulfilled = requirement.fulfil(line)

    assert requirement.fulfil(fulfilled) is fulfilled
    assert (fulfilled.text == text) is requirement.judge(line).met


@given(lines(), ANY_REQUIREMENT)
def test_all_other_words_keep_their_text_and_order(text: str, requirement: Requirement) -> None:
    def others(line: CommandLine) -> list[tuple[str, bool]]:
        name = canonical(requirement.name)
        return [
            (each.text, each.after_dashdash)
            for each in line.parameters
            if canonical(each.name) != name
        ]

    line = CommandLine.parse(text)

    assert others(requirement.fulfil(line)) == others(line)


@given(lines(), ANY_REQUIREMENT)
def test_blanks_at_the_ends_stay_and_none_are_doubled(text: str, requirement: Requirement) -> None:
    fulfilled = requirement.fulfil(CommandLine.parse(text)).text
    if not text.strip(BLANKS) or not fulfilled.strip(BLANKS):
        return

    assert fulfilled[len(fulfilled.rstrip(BLANKS)) :] == text[len(text.rstrip(BLANKS)) :]
    assert fulfilled[: -len(fulfilled.lstrip(BLANKS))] == text[: -len(text.lstrip(BLANKS))]


@given(lines(), st.permutations(REQUIREMENTS[:1] + REQUIREMENTS[6:7] + REQUIREMENTS[16:17]))
def test_requirements_on_different_parameters_do_not_disturb_each_other(
    text: str, requirements: list[Requirement]
) -> None:
    line = CommandLine.parse(text)
    for requirement in requirements:
        line = requirement.fulfil(line)

    assert all(requirement.judge(line).met for requirement in requirements)


@given(lines())
def test_including_values_never_merges_existing_ones(text: str) -> None:
    line = CommandLine.parse(text)
    requirement = ValuesRequirement("console", HERE, ("hvc0", "tty0"))

    before = Counter(each.text for each in line.named("console"))
    after = Counter(each.text for each in requirement.fulfil(line).named("console"))

    assert before <= after
    assert set(after - before) <= {"console=hvc0", "console=tty0"}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda each: each.describe())
@pytest.mark.parametrize("text", ["a=é prot_virt=1", "prot_virt=1\0", "swiotlb=262144 \udcff"])
def test_a_line_that_the_kernel_can_not_read_is_never_met_and_never_edited(
    requirement: Requirement, text: str
) -> None:
    line = CommandLine.parse(text)

    assert not requirement.judge(line).met
    with pytest.raises(RefusedError):
        requirement.fulfil(line)


def test_an_open_quote_is_judged_as_the_kernel_reads_it_and_not_edited() -> None:
    on, off = REQUIREMENTS[:2]
    line = CommandLine.parse('prot_virt=1 a="b')

    assert on.fulfil(line) is line
    with pytest.raises(RefusedError, match="never closed"):
        off.fulfil(line)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda each: each.describe())
def test_every_requirement_names_its_parameter(requirement: Requirement) -> None:
    assert requirement.name in requirement.describe()
    assert requirement.judge(CommandLine.parse("a b")).reason


def test_put_replaces_the_first_and_removes_the_others() -> None:
    line = CommandLine.parse("x=1 a  x=2 -- x=3")
    words = line.named("x")

    assert put(line, words, "y").text == "y a --"
    assert put(line, words[1:], "y").text == "x=1 a  y --"
    assert put(line, words[2:], "y").text == "x=1 a  x=2 y --"


@given(lines())
def test_excluding_a_value_leaves_every_other_where_it_is(text: str) -> None:
    def read(line: CommandLine) -> list[str]:
        return [each.text for each in line.parameters if not each.after_dashdash]

    line = CommandLine.parse(text)
    fulfilled = ValuesRequirement("console", HERE, (), ("tty0",)).fulfil(line)

    assert read(fulfilled) == [text for text in read(line) if text != "console=tty0"]


def test_a_name_that_needs_a_value_is_not_written_without_one() -> None:
    there = CommandLine.parse("root=/dev/dasda1 quiet")
    missing = CommandLine.parse("quiet")
    root, quiet = PresentRequirement("root", HERE), PresentRequirement("debug", HERE)

    assert root.fulfil(there) == there
    assert quiet.fulfil(missing).text == "quiet debug"
    with pytest.raises(RefusedError, match="root has no effect without a value"):
        root.fulfil(missing)
