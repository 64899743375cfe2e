"""What secboot needs to know of a kernel image: how long its command line may be, and if it is sealed.

Offsets are those of the s390x kernel's parameter area (arch/s390/include/asm/setup.h) and of the
IBM Secure Execution image that genprotimg and pvimg write (s390-tools, rust/pv/src/brcb.rs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.zipl.files import LEGACY_PARAMETER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    ReadRanges = Callable[[Sequence[tuple[int, int]]], Sequence[bytes]]

PAGE = 0x1000
MAX_COMMAND_LINE_SIZE_OFFSET = 0x10430
"""``parmarea.max_command_line_size``: a big-endian 64-bit number, 0 before kernel 5.16."""
SE_METADATA_OFFSET = 0xC000
SE_METADATA_MAGIC = b"SeImgLnx"
"""Marks the metadata that pvimg writes since s390-tools 2.36; it says where the header is."""
SE_HEADER_MAGIC = b"IBMSecEx"
SE_HEADER_LAST_PAGE = 0x17
"""Both generations of genprotimg put the header on one of the pages 0 to 0x17."""
SE_HEADER_SIZE = 0x40
"""Bytes of the header's fixed part, up to the plaintext control flags."""
PCF_NO_COMPONENT_ENCRYPTION = 0x10000000
"""Bit 35 of the plaintext control flags (counted from the left): readable, but sealed as well."""


class Seal(NamedTuple):
    """The IBM Secure Execution header of an image.

    `header_offset` is where it is, in bytes. `encrypted` is False for an image whose components
    can be read; their integrity is protected all the same, so that neither can be edited.
    """

    header_offset: int
    encrypted: bool


class ImageFacts(NamedTuple):
    """What the first pages of a kernel image say.

    `max_command_line` is in bytes and counts the terminating NUL; it is None where the file is too
    short to be a kernel image. `seal` marks an IBM Secure Execution image, whose parameter line
    is a component inside it.
    """

    max_command_line: int | None
    seal: Seal | None = None

    @property
    def sealed(self) -> bool:
        """Whether this is an IBM Secure Execution image."""
        return self.seal is not None


def read_image_facts(read_ranges: ReadRanges) -> ImageFacts:
    """Read the facts with ``read_ranges([(offset, size), ...])``, which gives less at the end.

    A few bytes of at most 26 pages are read, of a file of any size. zipl takes the length limit
    from the same place (zipl/src/job.c, check_common_ipl_data).
    """
    pages = [page * PAGE for page in range(SE_HEADER_LAST_PAGE + 1)]
    ranges = [(MAX_COMMAND_LINE_SIZE_OFFSET, 8), (SE_METADATA_OFFSET, 16)]
    field, metadata, *starts = read_ranges([*ranges, *((page, SE_HEADER_SIZE) for page in pages)])
    limit = None
    if len(field) == 8:
        limit = int.from_bytes(field, "big") or LEGACY_PARAMETER_LIMIT
    headers = zip(pages, starts, strict=True)
    found = [(page, start) for page, start in headers if start.startswith(SE_HEADER_MAGIC)]
    if metadata.startswith(SE_METADATA_MAGIC):
        offset = int.from_bytes(metadata[8:16], "big")
        named = next((start for page, start in found if page == offset), b"")
        return ImageFacts(limit, _seal(offset, named))
    return ImageFacts(limit, _seal(*found[0]) if found else None)


def _seal(offset: int, header: bytes) -> Seal:
    """A header that can't be read whole counts as that of an encrypted image: nothing is known."""
    flags = int.from_bytes(header[0x38:0x40], "big") if len(header) == SE_HEADER_SIZE else 0
    return Seal(offset, encrypted=not flags & PCF_NO_COMPONENT_ENCRYPTION)
