from __future__ import annotations

import pytest

from secboot.errors import Location
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement

# wanted, line, the line fulfilled (None: it is met and stays), a part of the reason
CASES = [
    (Hosting.ON, "a", "a prot_virt=1", "not given"),
    (Hosting.ON, "a -- b", "a prot_virt=1 -- b", "not given"),
    (Hosting.ON, "prot_virt=on", None, "enables it"),
    (Hosting.ON, "prot_virt=1 prot_virt=0", None, "prot_virt=0 beside it does not undo that"),
    (Hosting.ON, "prot_virt=0 a prot_virt=1", None, "prot_virt=1 enables it"),
    (Hosting.ON, "a -- prot_virt=1", None, "enables it"),
    (Hosting.ON, "a prot_virt=0 b", "a prot_virt=1 b", "leaves it off"),
    (Hosting.ON, "a prot_virt=true b", "a prot_virt=1 b", "the kernel takes 1, y or on"),
    (Hosting.ON, "prot_virt b prot_virt=", "prot_virt=1 b", "do not enable"),
    (Hosting.ON, '"prot_virt=0" b', "prot_virt=1 b", "leaves it off"),
    (Hosting.ON, "prot-virt=1", "prot-virt=1 prot_virt=1", "does not know prot-virt=1"),
    (Hosting.ON, "a -- prot_virt=0", "a prot_virt=1 -- prot_virt=0", "leaves it off"),
    (Hosting.ON, "prot_virt_x=1", "prot_virt_x=1 prot_virt=1", "not given"),
    (Hosting.OFF, "a", None, "not given"),
    (Hosting.OFF, "prot_virt=0 prot_virt=true", None, "do not enable"),
    (Hosting.OFF, "a prot_virt=1 b", "a b", "enables it"),
    (Hosting.OFF, "prot_virt=1 prot_virt=0", "prot_virt=0", "does not undo that"),
    (Hosting.OFF, "prot_virt=y a -- prot_virt=1 b", "a -- b", "prot_virt=y and prot_virt=1"),
    (Hosting.ABSENT, "a", None, "not given"),
    (Hosting.ABSENT, "prot_virt=0 a", "a", "is given"),
    (Hosting.ABSENT, "prot_virt=1 prot_virt=0 a -- prot_virt", "a --", "do not undo"),
]


@pytest.mark.parametrize(("hosting", "text", "expected", "reason"), CASES)
def test_judged_and_fulfilled_as_the_boot_code_reads_it(
    hosting: Hosting, text: str, expected: str | None, reason: str
) -> None:
    requirement = ProtVirtRequirement("prot_virt", Location("x"), hosting)
    line = CommandLine.parse(text)
    judgement = requirement.judge(line)

    assert reason in judgement.reason
    assert judgement.met is (expected is None)
    assert requirement.fulfil(line).text == (text if expected is None else expected)


def test_switching_on_and_off_again_gives_the_old_text() -> None:
    on = ProtVirtRequirement("prot_virt", Location("x"), Hosting.ON)
    off = ProtVirtRequirement("prot_virt", Location("x"), Hosting.OFF)
    line = CommandLine.parse("root=/dev/dasda1  quiet -- x\n")

    assert off.fulfil(on.fulfil(line)).text == line.text
