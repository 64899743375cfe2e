"""A kernel image: how long its command line may be, and whether it is a Secure Execution image.

Offsets are those of the s390x kernel's parameter area (arch/s390/include/asm/setup.h) and of the
IBM Secure Execution images that genprotimg and pvimg write (s390-tools, rust/pv/src/brcb.rs and
rust/pvimg). Only the few pages that tell are read, of a file of any size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ReadRanges = Callable[[Sequence[tuple[int, int]]], Sequence[bytes]]
"""Reads ``[(offset, size), ...]``, which gives less at the end of the file."""

PAGE = 0x1000
LEGACY_PARAMETER_LIMIT = 896
"""Longest parameter line, in bytes, for a kernel that does not say (zipl.h)."""
KERNEL_VERSION_OFFSET = 0x10428
"""``parmarea.kernel_version``: where in the image its release is, as a big-endian 64-bit number."""
MAX_COMMAND_LINE_SIZE_OFFSET = 0x10430
"""``parmarea.max_command_line_size``: a big-endian 64-bit number, 0 before kernel 5.16."""
SE_METADATA_OFFSET = 0xC000
SE_METADATA_MAGIC = b"SeImgLnx"
"""Marks the metadata that pvimg writes since s390-tools 2.36."""
SE_HEADER_MAGIC = b"IBMSecEx"
SE_HEADER_LAST_PAGE = 0x17
"""Both generations of genprotimg put the header on one of the pages 0 to 0x17."""
_METADATA_SIZE = 28
_METADATA_VERSION = 1
_HEADER_SIZE = 0x40
_HEADER_VERSION = 0x100
ALLOWS_DUMP = 1 << 29
NO_COMPONENT_ENCRYPTION = 1 << 28
PCKMO_FLAGS = 0xE0
"""Key functions for DEA and TDEA, AES, and ECC."""
PCKMO_HMAC = 0x10
BACKUP_KEYS = 0x02
"""Plaintext control flags; bit 0 is the highest of 64 (s390-tools, pv_utils/se_hdr/flags.rs)."""
_KERNEL, _PARAMETERS = 40, 60
"""What the tweak of a component begins with (s390-tools, se_img_comps.rs, ComponentKind)."""
_MOST_COMPONENTS = 8
_LONGEST_LINE = 0x10000
_RELEASE_SIZE = 64
_RELEASE = re.compile(r"\d+\.\d+[!-~]*", re.ASCII)


class SecureImage(NamedTuple):
    """What can be known of an IBM Secure Execution image.

    Its parameter line is a component inside it, whose integrity is protected even where it is not
    encrypted. `encrypted` is None where that is not known, and `unsure` says why. Of an image that
    is not encrypted `parameters` is the line, as text with its line ends and without the NUL, and
    `release` that of the kernel inside; each is None where it can't be read. `flags` are the
    plaintext control flags, which say what the image allows.
    """

    encrypted: bool | None = None
    parameters: str | None = None
    release: str | None = None
    unsure: str | None = None
    flags: int | None = None


class KernelImage(NamedTuple):
    """What the first pages of a kernel image say.

    `max_command_line` is in bytes and counts the terminating NUL; it is None where the file is too
    short to be a kernel image. `secure` is None for an ordinary kernel.
    """

    max_command_line: int | None
    secure: SecureImage | None


def read_kernel_image(read_ranges: ReadRanges) -> KernelImage:
    """Read what a file says of itself; a few bytes of at most 26 pages tell an ordinary kernel.

    zipl takes the length limit from the same place (zipl/src/job.c, check_common_ipl_data).
    """
    pages = [(page * PAGE, len(SE_HEADER_MAGIC)) for page in range(SE_HEADER_LAST_PAGE + 1)]
    field, metadata, *starts = read_ranges(
        [(MAX_COMMAND_LINE_SIZE_OFFSET, 8), (SE_METADATA_OFFSET, _METADATA_SIZE), *pages]
    )
    limit = None
    if len(field) == 8:
        limit = int.from_bytes(field, "big") or LEGACY_PARAMETER_LIMIT
    if not metadata.startswith(SE_METADATA_MAGIC):
        page = next((n for n, start in enumerate(starts) if start == SE_HEADER_MAGIC), None)
        secure = None if page is None else _by_header(read_ranges, page * PAGE)
        return KernelImage(limit, secure)
    return KernelImage(limit, _by_metadata(read_ranges, metadata))


def _by_metadata(read_ranges: ReadRanges, metadata: bytes) -> SecureImage:
    """What an image of s390-tools 2.36 on says: its metadata lead to all else."""
    if len(metadata) < _METADATA_SIZE:
        return SecureImage(unsure="the file ends within the metadata of the image")
    version = _number(metadata, 16, 4)
    if version != _METADATA_VERSION:
        return SecureImage(unsure=f"its metadata are of version {version}, which is not known")
    found = _by_header(read_ranges, _number(metadata, 8, 8))
    if found.encrypted is not False:
        return found
    parts = dict(_components(read_ranges, _number(metadata, 20, 8)))
    line, release = None, None
    if _PARAMETERS in parts:
        line = _line(read_ranges, *parts[_PARAMETERS])
    if _KERNEL in parts:
        release = _release(read_ranges, *parts[_KERNEL])
    unsure = None if line is not None else "its parameter line is not where it should be"
    return found._replace(parameters=line, release=release, unsure=unsure)


def _by_header(read_ranges: ReadRanges, offset: int) -> SecureImage:
    """What the Secure Execution header at `offset` says; its place may be anywhere in 64 bits."""
    header = _bytes_at(read_ranges, offset, _HEADER_SIZE)
    if header[:8] != SE_HEADER_MAGIC:
        return SecureImage(unsure="its Secure Execution header is not where it should be")
    if len(header) < _HEADER_SIZE:
        return SecureImage(unsure="the file ends within its Secure Execution header")
    version = _number(header, 8, 4)
    if version != _HEADER_VERSION:
        return SecureImage(unsure=f"its header is of version {version:#x}, which is not known")
    flags = _number(header, 0x38, 8)
    return SecureImage(encrypted=not flags & NO_COMPONENT_ENCRYPTION, flags=flags)


def _components(read_ranges: ReadRanges, offset: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """The kind of each component by the IPL parameter information block, with its place and size.

    The block has a header of 8 bytes, then ``struct ipl_pb0_pv`` (include/boot/ipl.h); the image is
    loaded at 0, so that addresses are offsets.
    """
    block = _bytes_at(read_ranges, offset, PAGE)
    count = min(_number(block, 8 + 108, 4), _MOST_COMPONENTS)
    for number in range(count):
        start = 8 + 128 + 24 * number
        if start + 24 <= len(block):
            yield (
                _number(block, start, 2),
                (
                    _number(block, start + 8, 8),
                    _number(block, start + 16, 8),
                ),
            )


def _line(read_ranges: ReadRanges, offset: int, size: int) -> str | None:
    """The parameter line, which is filled up with NULs to whole pages."""
    data = _bytes_at(read_ranges, offset, min(size, _LONGEST_LINE))
    if not data:
        return None
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _release(read_ranges: ReadRanges, offset: int, size: int) -> str | None:
    pointer = _bytes_at(read_ranges, offset + KERNEL_VERSION_OFFSET, 8)
    start = int.from_bytes(pointer, "big")
    if not KERNEL_VERSION_OFFSET < start < size:
        return None
    return release_text(_bytes_at(read_ranges, offset + start, _RELEASE_SIZE))


def release_text(data: bytes) -> str | None:
    """Return the release that the kernel's version text begins with; None where it is none."""
    word = data.partition(b"\0")[0].partition(b" ")[0].decode("ascii", "replace")
    return word if _RELEASE.fullmatch(word) else None


def _bytes_at(read_ranges: ReadRanges, offset: int, size: int) -> bytes:
    """What is there; nothing where no file reaches."""
    if not 0 <= offset < 2**62 or size <= 0:
        return b""
    (found,) = read_ranges([(offset, size)])
    return found


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "big")
