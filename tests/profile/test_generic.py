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

# requirement, line, changed line (None: it is met and does not change), part of the reason
CASES: list[tuple[Requirement, str, str | None, str]] = [
    (ONE, "", "k.a_b=1", "k.a_b is not set"),
    (ONE, 'k.a-b="1"', None, "is set"),
    (ONE, "k.a_b=1 k.a_b=1", None, "k.a_b=1 and k.a_b=1 are set"),
    (ONE, "x k.a-b=2 y", "x k.a_b=1 y", "k.a-b=2 is set"),
    (ONE, "k.a_b=2 y k.a_b=1 k.a_b", "k.a_b=1 y", "k.a_b=2 and k.a_b are set"),
    (ONE, "k.a_b.c=1 xk.a_b=1", "k.a_b.c=1 xk.a_b=1 k.a_b=1", "not set"),
    (ONE, "-- k.a_b=1", "k.a_b=1 -- k.a_b=1", "not set"),
    (EMPTY, "key", "key=", "key is set"),
    (EMPTY, "key=", None, "is set"),
    (EMPTY, 'key=""', None, "is set"),
    (BLANK, "key=a", 'key="a b"', "key=a is set"),
    (BLANK, '"key=a b"', None, "is set"),
    (PRESENT, "key=5", None, "key=5 is set"),
    (PRESENT, "keys -- x", "keys key -- x", "not set"),
    (ABSENT, "a key b key= key=1 keys", "a b keys", "key, key= and key=1 are set"),
    (ABSENT, "a -- key", None, "not set"),
    (CONSOLES, "console=tty0", "console=tty0 console=ttyS0 console=ttysclp0", "is missing"),
    (CONSOLES, "console=ttysclp0 a console=ttyS0 -- b", None, "are set"),
    (
        CONSOLES,
        "console=ttyS0 a -- b",
        "console=ttyS0 a console=ttysclp0 -- b",
        "ttysclp0 is missing",
    ),
    (BARE, "key=off a", "key a", "key=off is set"),
    (BARE, "key key", None, "are set"),
    (BARE, "-- key", "key -- key", "not set"),
    (OTHER_CONSOLE, "a console=ttyS0 console=tty0 b", "a console=ttyS1 console=tty0 b", "ttyS0 is"),
    (OTHER_CONSOLE, "console=ttyS0 a console=ttyS1", "a console=ttyS1", "console=ttyS0 is set"),
    (OTHER_CONSOLE, "console=tty0 -- a", "console=tty0 console=ttyS1 -- a", "ttyS1 is missing"),
    (OTHER_CONSOLE, "console=ttyS0 a console=ttyS0", "console=ttyS1 a", "are set and console=tt"),
    (OTHER_CONSOLE, "console=ttyS01 console=ttyS1", None, "are set"),
    (NOT_OFF, "key=off a key key=of", "a key key=of", "key=off is set"),
    (NOT_OFF, 'key="off"', "", 'key="off" is set'),
    (NOT_OFF, "key a", None, "key is set"),
    (NOT_OFF, "a -- key=off", None, "not set"),
    (TWO, "console=tty0 a console=ttyS1", None, "are set"),
    (TWO, "", "console=tty0 console=ttyS1", "not set"),
    (TWO, "a -- b", "a console=tty0 console=ttyS1 -- b", "not set"),
    (TWO, "console=tty0 a", "console=tty0 a console=ttyS1", "console=tty0 is set"),
    (TWO, "a console=ttyS1 b", "a console=tty0 console=ttyS1 b", "is set"),
    (TWO, "console=ttyS1 a console=tty0", "a console=tty0 console=ttyS1", "are set"),
    (TWO, "console=x a console=y b console=z", "console=tty0 a console=ttyS1 b", "are set"),
    (TWO, "console=x a", "console=tty0 console=ttyS1 a", "console=x is set"),
    (TWO, "console=tty0 console=x a console=ttyS1", "console=tty0 a console=ttyS1", "are set"),
    (TWO, "console=tty0 console=tty0 console=ttyS1", "console=tty0 console=ttyS1", "are set"),
    (TWICE, "hugepagesz=1G hugepages=2", "hugepagesz=1G hugepages=2 hugepages=2", "is set"),
    (TWICE, "hugepages=2 x hugepages=2", None, "are set"),
    (ListRequirement("mem", X, ("1G",)), "a -- mem=2G", "a mem=1G --", "mem=2G is set"),
    # Read by the boot code, which does not stop at -- and compares exactly.
    (AbsentRequirement("mem", X), "a mem=1G -- mem=2G b", "a -- b", "are set"),
    (ExactRequirement("mem", X, "1G"), "-- mem=2G", "mem=1G --", "mem=2G is set"),
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
def test_characters_that_are_special_elsewhere_are_not_special_here(value: str) -> None:
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
