from __future__ import annotations

import pytest

from secboot.errors import Location
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.occurrences import (
    AbsentRequirement,
    ExactRequirement,
    ListRequirement,
    PresentRequirement,
    ValuesRequirement,
)
from secboot.profile.requirement import Requirement

X = Location("x")
ONE = ExactRequirement("k.a_b", X, "1")
EMPTY = ExactRequirement("key", X, "")
BLANK = ExactRequirement("key", X, "a b")
CONSOLES = ValuesRequirement("console", X, ("ttyS0", "ttysclp0"))
PRESENT = PresentRequirement("key", X)
BARE = ExactRequirement("key", X, None)
OTHER_CONSOLE = ValuesRequirement("console", X, ("ttyS1",), ("ttyS0",))
NOT_OFF = ValuesRequirement("key", X, (), ("off",))
TWO = ListRequirement("console", X, ("tty0", "ttyS1"))
TWICE = ListRequirement("hugepages", X, ("2", "2"))
ABSENT = AbsentRequirement("key", X)

# requirement, line, the line fulfilled (None: it is met and stays), a part of the reason
CASES: list[tuple[Requirement, str, str | None, str]] = [
    (ONE, "", "k.a_b=1", "k.a_b is not given"),
    (ONE, 'k.a-b="1"', None, "is given"),
    (ONE, "k.a_b=1 k.a_b=1", None, "k.a_b=1 and k.a_b=1 are given"),
    (ONE, "x k.a-b=2 y", "x k.a_b=1 y", "k.a-b=2 is given"),
    (ONE, "k.a_b=2 y k.a_b=1 k.a_b", "k.a_b=1 y", "k.a_b=2 and k.a_b are given"),
    (ONE, "k.a_b.c=1 xk.a_b=1", "k.a_b.c=1 xk.a_b=1 k.a_b=1", "not given"),
    (ONE, "-- k.a_b=1", "k.a_b=1 -- k.a_b=1", "not given"),
    (EMPTY, "key", "key=", "key is given"),
    (EMPTY, "key=", None, "is given"),
    (EMPTY, 'key=""', None, "is given"),
    (BLANK, "key=a", 'key="a b"', "key=a is given"),
    (BLANK, '"key=a b"', None, "is given"),
    (PRESENT, "key=5", None, "key=5 is given"),
    (PRESENT, "keys -- x", "keys key -- x", "not given"),
    (ABSENT, "a key b key= key=1 keys", "a b keys", "key, key= and key=1 are given"),
    (ABSENT, "a -- key", None, "not given"),
    (CONSOLES, "console=tty0", "console=tty0 console=ttyS0 console=ttysclp0", "is missing"),
    (CONSOLES, "console=ttysclp0 a console=ttyS0 -- b", None, "are given"),
    (
        CONSOLES,
        "console=ttyS0 a -- b",
        "console=ttyS0 a console=ttysclp0 -- b",
        "ttysclp0 is missing",
    ),
    (BARE, "key=off a", "key a", "key=off is given"),
    (BARE, "key key", None, "are given"),
    (BARE, "-- key", "key -- key", "not given"),
    (OTHER_CONSOLE, "a console=ttyS0 console=tty0 b", "a console=ttyS1 console=tty0 b", "ttyS0 is"),
    (OTHER_CONSOLE, "console=ttyS0 a console=ttyS1", "a console=ttyS1", "console=ttyS0 is given"),
    (OTHER_CONSOLE, "console=tty0 -- a", "console=tty0 console=ttyS1 -- a", "ttyS1 is missing"),
    (OTHER_CONSOLE, "console=ttyS0 a console=ttyS0", "console=ttyS1 a", "are given and console=tt"),
    (OTHER_CONSOLE, "console=ttyS01 console=ttyS1", None, "are given"),
    (NOT_OFF, "key=off a key key=of", "a key key=of", "key=off is given"),
    (NOT_OFF, 'key="off"', "", 'key="off" is given'),
    (NOT_OFF, "key a", None, "key is given"),
    (NOT_OFF, "a -- key=off", None, "not given"),
    (TWO, "console=tty0 a console=ttyS1", None, "are given"),
    (TWO, "", "console=tty0 console=ttyS1", "not given"),
    (TWO, "a -- b", "a console=tty0 console=ttyS1 -- b", "not given"),
    (TWO, "console=tty0 a", "console=tty0 a console=ttyS1", "console=tty0 is given"),
    (TWO, "a console=ttyS1 b", "a console=tty0 console=ttyS1 b", "is given"),
    (TWO, "console=ttyS1 a console=tty0", "a console=tty0 console=ttyS1", "are given"),
    (TWO, "console=x a console=y b console=z", "console=tty0 a console=ttyS1 b", "are given"),
    (TWO, "console=x a", "console=tty0 console=ttyS1 a", "console=x is given"),
    (TWO, "console=tty0 console=x a console=ttyS1", "console=tty0 a console=ttyS1", "are given"),
    (TWO, "console=tty0 console=tty0 console=ttyS1", "console=tty0 console=ttyS1", "are given"),
    (TWICE, "hugepagesz=1G hugepages=2", "hugepagesz=1G hugepages=2 hugepages=2", "is given"),
    (TWICE, "hugepages=2 x hugepages=2", None, "are given"),
    (ListRequirement("mem", X, ("1G",)), "a -- mem=2G", "a mem=1G --", "mem=2G is given"),
    # Read by the boot code, which doesn't stop at -- and compares exactly.
    (AbsentRequirement("mem", X), "a mem=1G -- mem=2G b", "a -- b", "are given"),
    (ExactRequirement("mem", X, "1G"), "-- mem=2G", "mem=1G --", "mem=2G is given"),
]


@pytest.mark.parametrize(("requirement", "text", "expected", "reason"), CASES)
def test_judged_and_fulfilled(
    requirement: Requirement, text: str, expected: str | None, reason: str
) -> None:
    line = CommandLine.parse(text)
    judgement = requirement.judge(line)

    assert reason in judgement.reason
    assert judgement.met is (expected is None)
    assert requirement.fulfil(line).text == (text if expected is None else expected)


@pytest.mark.parametrize(
    "value", ["all,!condev", "a&b\\c/d#e", "!Windows", "*.foo", "$x", "a+b", "it's", "a=b=c"]
)
def test_characters_that_mean_something_elsewhere_mean_nothing_here(value: str) -> None:
    requirement = ExactRequirement("key", X, value)
    line = requirement.fulfil(CommandLine.parse("a key=old b"))

    assert line.text == f"a key={value} b"


DESCRIBED = (ONE, BLANK, BARE, PRESENT, ABSENT, CONSOLES, OTHER_CONSOLE, NOT_OFF, TWO)


def test_descriptions() -> None:
    texts = [each.describe() for each in DESCRIBED]

    assert texts == [
        "k.a_b=1",
        'key="a b"',
        "key without a value",
        "key present",
        "key absent",
        "console=ttyS0 and console=ttysclp0 among the console parameters",
        "console=ttyS1 among the console parameters, without console=ttyS0",
        "no key=off",
        "console=tty0 console=ttyS1 and no other console, in this order",
    ]
