"""Secure Execution images of both layouts and plain kernels, from files of full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.formats.kernel_image import KernelImage, SecureImage, read_kernel_image
from secboot.machine.boot_files import BootFiles
from secboot.system.root import Root
from tests.trees import plain_kernel, sealed_image

MIB = 2**20
FULL = 48 * MIB


def facts(path: Path) -> KernelImage:
    with Root(path.parent) as root:
        found = BootFiles(root).image(f"/{path.name}")
    assert found is not None
    return found


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("page", [0x14, 0x16])
def test_a_secure_execution_image(
    page: int, metadata: bool, encrypted: bool, tmp_path: Path
) -> None:
    image = tmp_path / "secure-linux"
    image.write_bytes(sealed_image(FULL, page, metadata=metadata, encrypted=encrypted))

    found = facts(image)

    assert found.max_command_line == 896
    assert found.secure is not None
    assert found.secure.encrypted is encrypted


@pytest.mark.parametrize(("field", "limit"), [(0, 896), (4096, 4096), (1048576, 1048576)])
def test_a_plain_kernel(field: int, limit: int, tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(plain_kernel(FULL, field))

    assert facts(kernel) == KernelImage(limit, None)


def test_the_magic_counts_at_a_page_start_only(tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinuz"
    data = bytearray(plain_kernel(FULL, 4096))
    # A kernel that can make or check such images holds the magic as a text somewhere.
    data[0x12345:0x1234D] = b"IBMSecEx"
    data[0x30000:0x30008] = b"IBMSecEx"
    data[0xC008:0xC010] = b"SeImgLnx"
    kernel.write_bytes(data)

    assert facts(kernel).secure is None


@pytest.mark.parametrize("size", [0, 7, 0x10437, 0x14010])
def test_short_files(size: int, tmp_path: Path) -> None:
    image = tmp_path / "short"
    image.write_bytes(sealed_image(FULL, 0x14, metadata=False, encrypted=False)[:size])

    found = facts(image)

    assert (found.max_command_line is None) == (size < 0x10438)
    # A header that is cut off still marks the image.
    cut = SecureImage(unsure="the file ends within its Secure Execution header")
    assert found.secure == (cut if size == 0x14010 else None)


def test_few_bytes_of_few_pages_are_read() -> None:
    image = sealed_image(FULL, 0x17, metadata=False, encrypted=True)
    asked: list[tuple[int, int]] = []

    def read(ranges: object) -> list[bytes]:
        assert isinstance(ranges, list)
        asked.extend(ranges)
        return [image[offset : offset + size] for offset, size in ranges]

    assert read_kernel_image(read).secure is not None
    assert sum(size for _, size in asked) < 2048
    assert len({offset // 0x1000 for offset, _ in asked}) <= 26
