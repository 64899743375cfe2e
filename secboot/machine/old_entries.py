"""Boot entries that pvics has disabled: it renames all existing entries to ``*.conf.old``.

It leaves a single entry for the image that it built (s390-tools, scripts/pvics, convert). zipl does
not read the renamed ones, but they still name the kernel, the ramdisk and the line of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.bls_entry import BlsEntry, BlsKey
from secboot.formats.kernel_release import release_in_name
from secboot.formats.text import decoded
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.zipl.order import rpm_version_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.system.root import Root

OLD = ".conf.old"
_LIMIT = 2**16


class OldEntry(NamedTuple):
    """An entry that zipl does not read; `kernel` and `ramdisk` are paths of existing files."""

    path: str
    line: str
    kernel: str | None = None
    ramdisk: str | None = None
    release: str | None = None


def old_entries(root: Root, directory: str) -> tuple[OldEntry, ...]:
    """Return the old entries in `directory`, the newest kernel first, without rescue kernels."""
    names = [name for name in root.names_or_none(directory) or () if name.endswith(OLD)]
    found = [entry for name in names for entry in _read(root, f"{directory}/{name}")]
    return tuple(sorted(found, key=lambda e: rpm_version_key(e.release or ""), reverse=True))


def _read(root: Root, path: str) -> Iterator[OldEntry]:
    try:
        text = decoded(root.read_bytes(path, _LIMIT))
    except FileError:
        return
    entry = BlsEntry.parse(text, path)
    kernel = _file(root, entry.value(BlsKey.LINUX))
    if kernel is None or "rescue" in kernel:
        return
    ramdisk = _file(root, entry.value(BlsKey.INITRD))
    release = release_in_name(kernel) or entry.version
    yield OldEntry(path, entry.options or "", kernel, ramdisk, release)


def _file(root: Root, named: str | None) -> str | None:
    """Return the path of a file; if /boot is a separate partition, entries name paths inside it."""
    if not named or not named.startswith("/"):
        return None
    return next((path for path in (named, f"/boot{named}") if root.exists_or_none(path)), None)
