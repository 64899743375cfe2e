"""A line that is joined from a parmfile and ``parameters=``, changed to meet a requirement."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import Location, RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import join_parameters
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
from secboot.profile.occurrences import (
    AbsentRequirement,
    ExactRequirement,
    ListRequirement,
    ValuesRequirement,
)
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement
from secboot.profile.requirement import Requirement
from secboot.profile.swiotlb import Bound, SwiotlbSizeRequirement
from tests.command_lines import lines

X = Location("x")
PARMFILE = Store(StoreKind.PARMFILE, "/etc/parmfile")
OWN = Store(StoreKind.PARAMETERS, "/etc/zipl.conf", "linux")
TWO = ListRequirement("console", X, ("tty0", "ttyS1"))
SWAP = ValuesRequirement("console", X, ("ttyS1",), ("ttyS0",))
ONE = ExactRequirement("k", X, "1")


def changed(first: str, second: str, requirement: Requirement) -> tuple[str, str]:
    stores = Stores((), {})
    stores.add(PARMFILE, first)
    stores.add(OWN, second)

    def joined() -> str:
        return join_parameters(stores.text(PARMFILE), stores.text(OWN)) or ""

    fulfil_line(stores, ParameterLine("linux", X, (PARMFILE, OWN), joined), (requirement,))
    assert requirement.judge(CommandLine.parse(joined())).met
    return stores.text(PARMFILE) or "", stores.text(OWN) or ""


@pytest.mark.parametrize(
    ("requirement", "before", "after"),
    [
        (TWO, ("a console=tty0\n", "b"), ("a console=tty0 console=ttyS1\n", "b")),
        (TWO, ("a console=x\n", "console=y b"), ("a console=tty0\n", "console=ttyS1 b")),
        (TWO, ("a console=tty0\nb\n", "console=x c"), ("a console=tty0\nb\n", "console=ttyS1 c")),
        (TWO, ("console=tty0\n", "console=tty0 b"), ("console=tty0\n", "console=ttyS1 b")),
        (TWO, ("a\n", "b"), ("a\n", "b console=tty0 console=ttyS1")),
        (TWO, ("a -- b\n", "c"), ("a console=tty0 console=ttyS1 -- b\n", "c")),
        (TWO, ("", "c -- d"), ("", "c console=tty0 console=ttyS1 -- d")),
        (SWAP, ("console=ttyS0\n", "b console=ttyS0"), ("console=ttyS1\n", "b")),
        (SWAP, ("console=ttyS0\n", "console=ttyS1"), ("\n", "console=ttyS1")),
        (SWAP, ("a console=ttyS0\n", "console=tty0"), ("a console=ttyS1\n", "console=tty0")),
        # What the other store already has is not added again.
        (ValuesRequirement("console", X, ("b", "c")), ("console=a\n", "console=b"),
         ("console=a\n", "console=b console=c")),
        (ONE, ("k=2\n", "k=3 a"), ("k=1\n", "a")),
        (ONE, ("a\n", " b "), ("a\n", " b k=1 ")),
        (AbsentRequirement("k", X), ("k=1\n", "k"), ("\n", "")),
        (ProtVirtRequirement("prot_virt", X, Hosting.ON), ("-- a\n", "b"), ("prot_virt=1 -- a\n", "b")),
    ],
)  # fmt: skip
def test_each_store_gets_its_part(
    requirement: Requirement, before: tuple[str, str], after: tuple[str, str]
) -> None:
    assert changed(*before, requirement) == after
    assert changed(*after, requirement) == after


REQUIREMENTS = st.sampled_from(
    (
        TWO, SWAP, ONE, AbsentRequirement("console", X), ListRequirement("mem", X, ("1G", "2G")),
        ValuesRequirement("console", X, ("hvc0",), ("tty0",)),
        *(ProtVirtRequirement("prot_virt", X, hosting) for hosting in Hosting),
        SwiotlbSizeRequirement("swiotlb", X, Bound.AT_LEAST, 262144),
    )
)  # fmt: skip


@settings(max_examples=300)
@given(lines(), lines(), REQUIREMENTS)
def test_no_word_of_another_parameter_changes_its_store(
    first: str, second: str, requirement: Requirement
) -> None:
    def others(text: str) -> list[str]:
        line = CommandLine.parse(text)
        about = [word.text for word in line.parameters if word.name == requirement.name]
        words = [word.text for word in line.parameters if word.text not in about]
        return [*words, "--"] if line.dashdash is not None else words

    try:
        after = changed(first, second, requirement)
    except RefusedError:
        # A character that zipl does not treat as a blank can join two words; refused without a change.
        assert first[-1:] in {"\t", "\v", "\r", "\n"} or not first.strip()
        return

    assert tuple(map(others, after)) == (others(first), others(second))
    assert changed(*after, requirement) == after
