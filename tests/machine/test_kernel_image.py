"""Secure Execution images of both layouts and plain kernel images, from files of full size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secboot.formats.kernel_image import PAGE, KernelImage, SecureImage, read_kernel_image
from secboot.machine.boot_files import BootFiles
from secboot.system.root import Root
from tests.secure_images import HEADER, METADATA, build_image
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
    # A kernel that can build or check such images contains the magic somewhere.
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
    # A truncated header still identifies the image.
    cut = SecureImage(unsure="the file ends inside its Secure Execution header", damaged=True)
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


LINE = b"root=/dev/mapper/luks swiotlb=262144"
IPIB = 20
"""The offset in the metadata of the pointer to the block that lists the components."""
OPEN, CLOSED = (
    build_image(b"kernel" * PAGE, b"ramdisk", LINE, encrypted=encrypted)
    for encrypted in (False, True)
)
BLOCK = len(OPEN) - PAGE
LONGEST = 0x10000
"""The most bytes that are read at a time: a parameter line."""


def read(data: bytes) -> KernelImage:
    """Read bytes as from a file, and count the requested bytes."""
    asked = 0

    def ranges(wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        nonlocal asked
        for offset, size in wanted:
            assert 0 <= offset < 2**63
            assert 0 < size <= LONGEST
            asked += size
        return [data[offset : offset + size] for offset, size in wanted]

    found = read_kernel_image(ranges)
    assert asked < LONGEST + 3 * PAGE
    return found


def changed(image: bytes, offset: int, new: bytes) -> bytes:
    return image[:offset] + new + image[offset + len(new) :]


def ends() -> list[int]:
    """Every length at which a new part is complete, and the adjacent lengths."""
    places = [0, 8, METADATA, HEADER, BLOCK, *(METADATA + n for n in (8, 16, 20, 28))]
    places += [HEADER + n for n in (8, 12, 0x38, 0x40)] + [
        BLOCK + n for n in (4, 108, 136, 200, PAGE)
    ]
    places += range(0, len(OPEN), PAGE)
    return sorted({size + near for size in places for near in (-1, 0, 1) if size + near >= 0})


@pytest.mark.parametrize("image", [OPEN, CLOSED], ids=["open", "encrypted"])
def test_a_truncated_image_is_detected_at_every_length(image: bytes) -> None:
    """Truncated before the metadata it is a plain file, after it a damaged image, and never intact."""
    for size in ends():
        found = read(image[:size]).secure
        if size < METADATA + 8:
            assert found is None, size
        elif size < BLOCK + 8 + 128 + 4 * 24:
            assert found is not None, size
            assert found.damaged, size
            assert found.unsure, size
            assert found.parameters is None, size
        else:
            assert found == read(image).secure, size
    whole = read(image).secure
    assert whole is not None
    assert (whole.damaged, whole.unsure) == (False, None)
    assert whole.parameters == (LINE.decode() if image is OPEN else None)


FAR = (2**63).to_bytes(8, "big")
ODD = {
    "header of a later version": (HEADER + 8, b"\0\0\2\0", False, "an unknown version, 0x200"),
    "metadata of a later version": (METADATA + 16, b"\0\0\0\2", False, "an unknown version, 2"),
    "header beyond the file": (METADATA + 8, FAR, True, "header is not where it should be"),
    "header elsewhere": (METADATA + 8, b"\0" * 8, True, "header is not where it should be"),
    "block beyond the file": (METADATA + IPIB, FAR, True, "the file ends before the image does"),
    "block at the end": (METADATA + IPIB, len(OPEN).to_bytes(8, "big"), True, "the file ends"),
    "absurd count": (BLOCK + 8 + 108, b"\xff" * 4, True, "list of components is damaged"),
    "more than its length": (BLOCK + 8 + 108, b"\0\0\0\5", True, "list of components is damaged"),
    "length that lies": (BLOCK, b"\xff" * 4, False, None),
    "no length": (BLOCK, b"\0" * 4, True, "list of components is damaged"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_wrong_state_is_reported(name: str) -> None:
    offset, new, damaged, words = ODD[name]

    for image in (OPEN, CLOSED):
        found = read(changed(image, offset, new)).secure
        assert found is not None
        assert found.damaged is damaged
        assert (found.unsure is None) if words is None else (words in (found.unsure or ""))
        assert words is None or found.parameters is None


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("field", [8, 16], ids=["place", "size"])
@pytest.mark.parametrize("value", [0, 1, 2**32, 2**62, 2**63, 2**64 - 1])
def test_a_component_anywhere_is_never_read_beyond_the_file(
    part: int, field: int, value: int
) -> None:
    start = BLOCK + 8 + 128 + 24 * part + field

    found = read(changed(OPEN, start, value.to_bytes(8, "big"))).secure

    assert found is not None
    assert found.encrypted is False
    if part == 2 and (field == 8 or value < 2):
        assert found.parameters != LINE.decode()


@given(
    st.binary(max_size=64),
    st.lists(
        st.tuples(st.integers(0, len(OPEN) - 1), st.binary(min_size=1, max_size=32)), max_size=6
    ),
    st.integers(0, len(OPEN)),
    st.booleans(),
)
@example(b"", [(METADATA, b"SeImgLnx" + b"\xff" * 20)], len(OPEN), True)
@example(b"", [(BLOCK, b"\xff" * 160)], len(OPEN), False)
def test_any_bytes_are_read_within_bounds(
    head: bytes, edits: list[tuple[int, bytes]], size: int, encrypted: bool
) -> None:
    """For any content of a file: no crash, no endless read, and never an incomplete line."""
    image = CLOSED if encrypted else OPEN
    for offset, new in [(0, head), *edits]:
        image = changed(image, offset, new)

    found = read(image[:size]).secure

    if found is not None and found.parameters is not None:
        assert found.encrypted is False
        assert found.parameters.encode("utf-8", "surrogateescape") + b"\0" in image[:size]
    if found is not None and found.encrypted is None:
        assert found.unsure


@given(st.binary(max_size=3 * PAGE))
def test_any_file(data: bytes) -> None:
    assert read(data).secure is None or data.count(b"IBMSecEx")
