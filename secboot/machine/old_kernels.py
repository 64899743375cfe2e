"""Kernels that may be too old for a requirement, according to their images.

The release is that in the header of the image, or in its file name. The boot code is not
compressed, and contains the names of the parameters that it reads (arch/s390/boot/ipl_parm.c): this
shows the parameters that a distribution's kernel has in addition to upstream's of the same release.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_image import (
    KERNEL_VERSION_OFFSET,
    LEGACY_PARAMETER_LIMIT,
    release_text,
)
from secboot.formats.kernel_release import release_in_name, release_number
from secboot.kernel.command_line import BOOT_CODE_NAMES
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.zipl.file_facts import from_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secboot.system.root import Root
    from secboot.zipl.file_facts import FileFacts

NEWER = (5, 7)
"""Kernels of this release or later support everything, so they are not examined."""
_START = 0x10000
_BOOT_CODE = 0x40000
"""In bytes; the boot code of kernel 6.1 has 0x9000, that of earlier ones less."""


class OldKernel(NamedTuple):
    """A kernel whose release is before `NEWER`.

    `boot_names` are the parameters that its boot code reads; empty if the boot code of the file
    can't be read.
    """

    release: str
    boot_names: frozenset[str] = frozenset()


def old_kernels(
    root: Root, paths: Iterable[str], facts: Mapping[str, FileFacts]
) -> dict[str, OldKernel]:
    """Return the images that are old kernels, by path, without those of unknown release."""
    found = {}
    for path in dict.fromkeys(paths):
        limit = facts[path].max_parm_size if path in facts else None
        # An image that specifies its maximum line length is of 5.16 or later.
        if limit not in {None, LEGACY_PARAMETER_LIMIT}:
            continue
        kernel = _old_kernel(root, from_root(path))
        if kernel is not None:
            found[path] = kernel
    return found


def _old_kernel(root: Root, path: str) -> OldKernel | None:
    try:
        named = release_in_name(path) or release_in_name(root.real_path(path))
        if named is not None and (release_number(named) or NEWER) >= NEWER:
            return None
        pointer, code = root.read_ranges(path, [(KERNEL_VERSION_OFFSET, 8), (_START, _BOOT_CODE)])
    except (FileError, ValueError):
        pointer, code = b"", b""
        named = release_in_name(path)
    release = _release(pointer, code) or named
    if release is None or (release_number(release) or NEWER) >= NEWER:
        return None
    return OldKernel(release, frozenset(name for name in BOOT_CODE_NAMES if _holds(code, name)))


def _holds(code: bytes, name: str) -> bool:
    return re.search(rb"(?<![a-z_])" + name.encode() + rb"\0", code) is not None


def _release(pointer: bytes, code: bytes) -> str | None:
    start = int.from_bytes(pointer, "big") - _START
    return release_text(code[start : start + 64]) if 0 < start < len(code) else None
