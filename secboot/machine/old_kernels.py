"""Kernels that may be too old for what is asked of them: what their images say of themselves.

The release is that of the image's header, or else of its file name. Its boot code is not
compressed, and holds the names of the parameters that it reads (arch/s390/boot/ipl_parm.c): that
tells of distributions' kernels, which have some that upstream's of the same number don't.
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
"""No kernel from here on is looked at: it has all that is asked of kernels."""
_START = 0x10000
_BOOT_CODE = 0x40000
"""Bytes; that of kernel 6.1 has 0x9000, and those before have less."""


class OldKernel(NamedTuple):
    """A kernel before `NEWER`, by its number.

    `boot_names` are the parameters that its boot code reads; empty where the file is no image whose
    boot code can be read.
    """

    release: str
    boot_names: frozenset[str] = frozenset()


def old_kernels(
    root: Root, paths: Iterable[str], facts: Mapping[str, FileFacts]
) -> dict[str, OldKernel]:
    """Return those of the images that are old kernels, by path; none whose release is not known."""
    found = {}
    for path in dict.fromkeys(paths):
        limit = facts[path].max_parm_size if path in facts else None
        # One that says how long its line may be has that from 5.16.
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
