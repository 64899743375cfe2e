"""A parmfile as the kernel reads it.

No package of pvimg is available here. It puts the bytes of a parmfile, followed by a NUL, into the
image, whose loader passes them to the kernel unchanged. The emulator does the same with its command
line, and reads the same limit from the same field of the kernel.
"""

from __future__ import annotations

import pytest

from secboot.export.formats import WRITERS
from secboot.export.images import MAX_BYTES
from secboot.export.names import ExportFormat
from tests.export.requests import shipped
from tests.s390x.emulator import DirectKernel, boot
from tests.s390x.testbed import TestBed, require_ipl

pytestmark = pytest.mark.ipl


@pytest.fixture(scope="module")
def bed() -> TestBed:
    return require_ipl()


def parmfile(line: str) -> str:
    return WRITERS[ExportFormat.PVIMG].write(shipped("guest", line)).text


def longest() -> str:
    """The longest possible parmfile."""
    start = "earlyprintk fill="
    room = MAX_BYTES - len(parmfile(start))
    return parmfile(start + room * "x")


def test_the_limit_is_the_kernels(bed: TestBed) -> None:
    with bed.kernel.open("rb") as image:
        image.seek(0x10430)
        size = int.from_bytes(image.read(8), "big")

    assert size == MAX_BYTES + len("\0")


def test_the_kernel_reads_the_longest_parmfile_to_its_end(bed: TestBed) -> None:
    text = longest()
    assert len(text) == MAX_BYTES

    result = boot([], DirectKernel(bed.kernel, bed.initramfs, text), limit=60)

    assert result.finished, result.console
    assert result.command_line == text.removesuffix("\n")
    assert result.command_line.endswith(" swiotlb=262144")


def test_one_byte_more_is_too_long(bed: TestBed) -> None:
    too_long = f"x{longest()}"

    result = boot([], DirectKernel(bed.kernel, bed.initramfs, too_long), limit=60)

    assert not result.finished
    assert "exceeds" in result.console, result.console
