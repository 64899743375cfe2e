"""Which spellings of prot_virt= the real kernel accepts, compared with secboot.

``facilities=158`` makes the kernel believe that an ultravisor exists. If the command line enables
hosting, setup_uv() makes the first ultravisor call, which this emulator does not support, and the
kernel dies there, early in setup_arch(); if not, it boots and reports prot_virt_host=0.
"""

import pytest

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel import prot_virt
from tests.s390x.emulator import DirectKernel, IplResult, boot
from tests.s390x.testbed import TestBed

pytestmark = pytest.mark.ipl

SPELLINGS = (
    "prot_virt=1",
    "prot_virt=0",
    "prot_virt",
    "prot_virt=",
    "prot_virt=y",
    "prot_virt=Yes",
    "prot_virt=oN",
    "prot_virt=off",
    "prot_virt=o",
    "prot_virt=true",
    "prot_virt=T",
    "prot_virt=enabled",
    "prot_virt=2",
    "prot_virt=01",
    "prot_virt=10",
    "prot_virt=once",
    "prot_virt=1 prot_virt=0",
    "prot_virt=0 prot_virt=1",
    'prot_virt="1"',
    '"prot_virt=1"',
    'x="prot_virt=1"',
    'x="a prot_virt=1',
    "prot-virt=1",
    "PROT_VIRT=1",
    "-- prot_virt=1",
    "prot_virt=1,",
    "xprot_virt=1",
)


def boot_line(bed: TestBed, line: str) -> IplResult:
    """Boot without a root disk: the initramfs reports and stops."""
    return boot([], DirectKernel(bed.kernel, bed.initramfs, line), limit=60)


def switched_on(result: IplResult) -> bool:
    """Read the outcome; fail if it is neither of the two in the module's docstring."""
    if result.finished:
        assert result.marker("UV") == "prot_virt_host=0", result.console
        return False
    last_words = result.console.splitlines()[-1]
    assert result.ended_by_itself, f"neither booted nor died:\n{result.console}"
    assert "setup: Relocating AMODE31" in last_words, f"died elsewhere:\n{result.console}"
    return True


@pytest.mark.parametrize("line", SPELLINGS)
def test_secboot_reads_prot_virt_as_the_kernel_does(bed: TestBed, line: str) -> None:
    result = boot_line(bed, f"facilities=158 earlyprintk {line}")

    expected = bool(prot_virt.enabling(CommandLine.parse(line)))
    assert switched_on(result) == expected


def test_the_same_line_boots_where_the_kernel_sees_no_ultravisor(bed: TestBed) -> None:
    """This proves that the deaths above are caused by the ultravisor call and nothing else."""
    result = boot_line(bed, "earlyprintk prot_virt=1")

    assert result.finished
    assert result.command_line == "earlyprintk prot_virt=1"
