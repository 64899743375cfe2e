"""A kernel image: its maximum command line length, and whether it is a Secure Execution image.

Offsets are those of the s390x kernel's parameter area (arch/s390/include/asm/setup.h) and of the
IBM Secure Execution images that genprotimg and pvimg write (s390-tools, rust/pv/src/brcb.rs and
rust/pvimg). Only a few pages are read, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from secboot.formats.text import decoded
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ReadRanges = Callable[[Sequence[tuple[int, int]]], Sequence[bytes]]
"""Reads ``[(offset, size), ...]``; returns less at the end of the file."""

PAGE = 0x1000
LEGACY_PARAMETER_LIMIT = 896
"""The maximum parameter line, in bytes, of a kernel that does not specify one (zipl.h)."""
KERNEL_VERSION_OFFSET = 0x10428
"""``parmarea.kernel_version``: offset of the release in the image, a big-endian 64-bit number."""
MAX_COMMAND_LINE_SIZE_OFFSET = 0x10430
"""``parmarea.max_command_line_size``: a big-endian 64-bit number, 0 before kernel 5.16."""
SE_METADATA_OFFSET = 0xC000
SE_METADATA_MAGIC = b"SeImgLnx"
"""Start of the metadata that pvimg writes since s390-tools 2.36."""
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
"""The kind of a component, stored in its tweak (s390-tools, se_img_comps.rs, ComponentKind)."""
_MOST_COMPONENTS = 8
_COMPONENTS, _COMPONENT_SIZE = 8 + 128, 24
"""The offset of the first component in the block, and the size of each."""
_LONGEST_LINE = 0x10000
_RELEASE_SIZE = 64
_RELEASE = r"[0-9]+\.[0-9]+[!-~]*"


class SecureImage(NamedTuple):
    """What can be read from an IBM Secure Execution image.

    Its parameter line is a component of the image, with integrity protection even if it is not
    encrypted. `encrypted` is None if unknown; then `unsure` says why. For an image that is not
    encrypted, `parameters` is the line, including line ends and without the NUL, and `release`
    the release of the kernel inside; each is None if it can't be read. `damaged` means that part
    of the image is missing, so that it can't start; `later` that its version is newer than this
    module supports. `flags` are the plaintext control flags, which say what the image allows.
    """

    encrypted: bool | None = None
    parameters: str | None = None
    release: str | None = None
    unsure: str | None = None
    damaged: bool = False
    later: bool = False
    flags: int | None = None


class KernelImage(NamedTuple):
    """What the first pages of a kernel image contain.

    `max_command_line` is in bytes, including the terminating NUL; None if the file is too short to
    be a kernel image. `secure` is None for a plain kernel image.
    """

    max_command_line: int | None
    secure: SecureImage | None


def read_kernel_image(read_ranges: ReadRanges) -> KernelImage:
    """Read a kernel image; a plain one takes a few bytes from each of at most 26 pages.

    zipl reads the length limit from the same place (zipl/src/job.c, check_common_ipl_data).
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
    """Read an image written by s390-tools 2.36 or later, by its metadata."""
    if len(metadata) < _METADATA_SIZE:
        return SecureImage(unsure="the file ends inside the metadata of the image", damaged=True)
    version = _number(metadata, 16, 4)
    if version != _METADATA_VERSION:
        message = f"its metadata has an unknown version, {version}"
        return SecureImage(unsure=message, later=version > _METADATA_VERSION)
    found = _by_header(read_ranges, _number(metadata, 8, 8))
    if found.unsure is not None:
        return found
    block = _block(read_ranges, _number(metadata, 20, 8))
    if isinstance(block, str):
        return found._replace(unsure=block, damaged=True)
    if found.encrypted is not False:
        return found
    parts = dict(_components(block))
    line, release = None, None
    if _PARAMETERS in parts:
        line = _line(read_ranges, *parts[_PARAMETERS])
    if _KERNEL in parts:
        release = _release(read_ranges, *parts[_KERNEL])
    unsure = None if line is not None else "its parameter line is not where it should be"
    return found._replace(parameters=line, release=release, unsure=unsure)


def _by_header(read_ranges: ReadRanges, offset: int) -> SecureImage:
    """Read the Secure Execution header at `offset`, which can be any 64-bit number."""
    header = _bytes_at(read_ranges, offset, _HEADER_SIZE)
    if header[:8] != SE_HEADER_MAGIC:
        message = "its Secure Execution header is not where it should be"
        return SecureImage(unsure=message, damaged=True)
    if len(header) < _HEADER_SIZE:
        return SecureImage(unsure="the file ends inside its Secure Execution header", damaged=True)
    version = _number(header, 8, 4)
    if version != _HEADER_VERSION:
        message = f"its header has an unknown version, {version:#x}"
        return SecureImage(unsure=message, later=version > _HEADER_VERSION)
    flags = _number(header, 0x38, 8)
    return SecureImage(encrypted=not flags & NO_COMPONENT_ENCRYPTION, flags=flags)


def _block(read_ranges: ReadRanges, offset: int) -> bytes | str:
    """Return the IPL parameter information block, or a message that says why it can't be read.

    It is the last part of the image (rust/pvimg/src/se_img.rs), so it is truncated whenever the
    file is. It has a header of 8 bytes, which starts with its length, then ``struct ipl_pb0_pv``
    (include/boot/ipl.h) with a count, and that many components. Empty if `offset` is 0.
    """
    if offset == 0:
        return b""
    block = _bytes_at(read_ranges, offset, PAGE)
    size, count = _number(block, 0, 4), _number(block, 8 + 108, 4)
    if len(block) < _COMPONENTS or len(block) < min(size, PAGE):
        return "the file ends before the image does"
    if count > _MOST_COMPONENTS or size < _COMPONENTS + _COMPONENT_SIZE * count:
        return "its list of components is damaged"
    return block


def _components(block: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the kind of each component, with its offset and size; the image is loaded at 0."""
    for number in range(_number(block, 8 + 108, 4)):
        start = _COMPONENTS + _COMPONENT_SIZE * number
        place = (_number(block, start + 8, 8), _number(block, start + 16, 8))
        yield _number(block, start, 2), place


def _line(read_ranges: ReadRanges, offset: int, size: int) -> str | None:
    """The parameter line, which is padded with NULs to whole pages; None if it is incomplete."""
    line, end, _ = _bytes_at(read_ranges, offset, min(size, _LONGEST_LINE)).partition(b"\0")
    return decoded(line) if end else None


def _release(read_ranges: ReadRanges, offset: int, size: int) -> str | None:
    pointer = _bytes_at(read_ranges, offset + KERNEL_VERSION_OFFSET, 8)
    start = int.from_bytes(pointer, "big")
    if not KERNEL_VERSION_OFFSET < start < size:
        return None
    return release_text(_bytes_at(read_ranges, offset + start, _RELEASE_SIZE))


def release_text(data: bytes) -> str | None:
    """Return the release at the start of the kernel's version string; None if there is none."""
    word = data.partition(b"\0")[0].partition(b" ")[0].decode("ascii", "replace")
    return word if re.fullmatch(_RELEASE, word) else None


def _bytes_at(read_ranges: ReadRanges, offset: int, size: int) -> bytes:
    """The bytes at `offset`; empty if no file can be that large."""
    if not 0 <= offset < 2**62 or size <= 0:
        return b""
    (found,) = read_ranges([(offset, size)])
    return found


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "big")
