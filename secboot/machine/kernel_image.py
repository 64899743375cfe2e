"""What secboot needs to know of a kernel image: how long its command line may be, and if it is sealed.

Offsets are those of the s390x kernel's parameter area (arch/s390/include/asm/setup.h) and of the
IBM Secure Execution image that genprotimg and pvimg write (s390-tools, rust/pv/src/brcb.rs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 0x1000
MAX_COMMAND_LINE_SIZE_OFFSET = 0x10430
"""``parmarea.max_command_line_size``: a big-endian 64-bit number, 0 before kernel 5.16."""
LEGACY_COMMAND_LINE_SIZE = 896
"""Bytes, the terminating NUL included, that a kernel without that field takes."""
SE_METADATA_OFFSET = 0xC000
SE_METADATA_MAGIC = b"SeImgLnx"
SE_HEADER_MAGIC = b"IBMSecEx"
SE_HEADER_LAST_PAGE = 0x17
"""Both generations of genprotimg put the header on one of the pages 0 to 0x17."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the first pages of a kernel image say.

    `max_command_line` is in bytes and counts the terminating NUL; it is None where the file is too
    short to be a kernel image. `sealed` marks an IBM Secure Execution image, whose parameter line
    is a component inside it.
    """

    max_command_line: int | None
    sealed: bool


def read_image_facts(read_range: Callable[[int, int], bytes]) -> ImageFacts:
    """Read the facts with ``read_range(offset, size)``, which returns fewer bytes at the end.

    zipl takes the length limit from the same place (zipl/src/job.c, check_common_ipl_data).
    """
    field = read_range(MAX_COMMAND_LINE_SIZE_OFFSET, 8)
    limit = None
    if len(field) == 8:
        limit = int.from_bytes(field, "big") or LEGACY_COMMAND_LINE_SIZE
    return ImageFacts(limit, _is_sealed(read_range))


def _is_sealed(read_range: Callable[[int, int], bytes]) -> bool:
    if read_range(SE_METADATA_OFFSET, len(SE_METADATA_MAGIC)) == SE_METADATA_MAGIC:
        return True
    return any(
        read_range(page * PAGE, len(SE_HEADER_MAGIC)) == SE_HEADER_MAGIC
        for page in range(SE_HEADER_LAST_PAGE + 1)
    )
