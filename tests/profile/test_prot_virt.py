from __future__ import annotations

import pytest

from secboot.errors import Location
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement

# required, line, changed line (None: it is met and does not change), part of the reason
CASES = [
    (Hosting.ON, "a", "a prot_virt=1", "not set"),
    (Hosting.ON, "a -- b", "a prot_virt=1 -- b", "not set"),
    (Hosting.ON, "prot_virt=on", None, "enables hosting"),
    (Hosting.ON, "prot_virt=1 prot_virt=0", None, "prot_virt=0 does not undo that"),
    (Hosting.ON, "prot_virt=0 a prot_virt=1", None, "prot_virt=1 enables hosting"),
    (Hosting.ON, "a -- prot_virt=1", None, "enables hosting"),
    (Hosting.ON, "a prot_virt=0 b", "a prot_virt=1 b", "leaves hosting off"),
    (Hosting.ON, "a prot_virt=true b", "a prot_virt=1 b", "the kernel accepts 1, y or on"),
    (Hosting.ON, "prot_virt b prot_virt=", "prot_virt=1 b", "do not enable"),
    (Hosting.ON, '"prot_virt=0" b', "prot_virt=1 b", "leaves hosting off"),
    (Hosting.ON, "prot-virt=1", "prot-virt=1 prot_virt=1", "ignores prot-virt=1"),
    (Hosting.ON, "a -- prot_virt=0", "a prot_virt=1 -- prot_virt=0", "leaves hosting off"),
    (Hosting.ON, "prot_virt_x=1", "prot_virt_x=1 prot_virt=1", "not set"),
    (Hosting.OFF, "a", None, "not set"),
    (Hosting.OFF, "prot_virt=0 prot_virt=true", None, "do not enable"),
    (Hosting.OFF, "a prot_virt=1 b", "a b", "enables hosting"),
    (Hosting.OFF, "prot_virt=1 prot_virt=0", "prot_virt=0", "does not undo that"),
    (Hosting.OFF, "prot_virt=y a -- prot_virt=1 b", "a -- b", "prot_virt=y and prot_virt=1"),
    (Hosting.ABSENT, "a", None, "not set"),
    (Hosting.ABSENT, "prot_virt=0 a", "a", "is set"),
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


def test_turning_it_on_and_off_again_restores_the_text() -> None:
    on = ProtVirtRequirement("prot_virt", Location("x"), Hosting.ON)
    off = ProtVirtRequirement("prot_virt", Location("x"), Hosting.OFF)
    line = CommandLine.parse("root=/dev/dasda1  quiet -- x\n")

    assert off.fulfil(on.fulfil(line)).text == line.text
