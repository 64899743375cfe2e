from __future__ import annotations

from pathlib import Path

import pytest

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel import prot_virt

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "cmdline"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("pv-*")), ids=lambda path: path.name)
def test_every_sample_reads_as_its_name_says(path: Path) -> None:
    line = CommandLine.parse(path.read_text())

    assert bool(prot_virt.enabling(line)) is not path.name.endswith("-NOT-enabled")


@pytest.mark.parametrize("value", ["1", "10", "y", "Y", "yes", "Yfoo", "on", "ON", "oN", "once"])
def test_values_that_enable_hosting(value: str) -> None:
    assert prot_virt.truth(value) is True


@pytest.mark.parametrize("value", ["0", "01", "n", "N", "no", "off", "OF", "oFF"])
def test_values_that_leave_it_off(value: str) -> None:
    assert prot_virt.truth(value) is False


@pytest.mark.parametrize("value", [None, "", "true", "T", "false", "enabled", "2", "o", " 1", "-1"])
def test_values_that_the_boot_code_ignores(value: str | None) -> None:
    assert prot_virt.truth(value) is None


def test_any_enabling_occurrence_has_an_effect_anywhere_on_the_line() -> None:
    line = CommandLine.parse("prot_virt=1 prot_virt=0 a -- prot_virt=on prot_virt")

    assert [each.text for each in prot_virt.enabling(line)] == ["prot_virt=1", "prot_virt=on"]
    assert len(prot_virt.occurrences(line)) == 4


def test_other_spellings_of_the_name_are_only_recognized_as_misspellings() -> None:
    line = CommandLine.parse("prot-virt=1 PROT_VIRT=1 prot_virt_x=1")

    assert not prot_virt.occurrences(line)
    assert [each.text for each in prot_virt.misspelt(line)] == ["prot-virt=1", "PROT_VIRT=1"]
