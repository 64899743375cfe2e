"""Load addresses that can't be (zipl/src/job.c: check_component_address_data)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.zipl.entry import EntryKind
from secboot.zipl.files import LEGACY_PARAMETER_LIMIT

if TYPE_CHECKING:
    from secboot.zipl.entry import BootEntry
    from secboot.zipl.files import FileLookup
    from secboot.zipl.problem import Findings
    from secboot.zipl.version import ZiplVersion

_BLOCK = 4096
_LOWEST = 0x10000
_LIMIT = 0x80000000
_OLD_KDUMP_LIMIT = 0x2000000
_PARAMETER_AREA = 0x10000
_ADDRESS_MASK = (1 << 64) - 1


class _Placed(NamedTuple):
    name: str
    address: int
    size: int

    @property
    def end(self) -> int:
        return (self.address + self.size) & _ADDRESS_MASK


def check_addresses(
    entry: BootEntry, files: FileLookup, version: ZiplVersion, findings: Findings
) -> None:
    """Check the given load addresses of an entry's kernel, parameter line and ramdisk.

    Only addresses that are written down count (a kernel's is 0x10000 unless it is); the
    others zipl chooses itself. For kdump newer versions ask the machine for a lower limit,
    which is not known here.
    """
    old_kdump = entry.kdump and not version.asks_machine_for_kdump_limit
    limit = _OLD_KDUMP_LIMIT if old_kdump else _LIMIT
    placed = sorted(_placed(entry, files, version), key=lambda part: part.address)
    for part in placed:
        if part.end > limit:
            what = f"Component '{part.name}' exceeds available address space"
            _report(entry, f"{what} (limit is 0x{limit:08x})", findings)
            return
        if part.address < _LOWEST:
            what = f"Component '{part.name}' falls below available address space"
            _report(entry, f"{what} (limit is 0x{_LOWEST:08x})", findings)
            return
    for part, after in itertools.pairwise(placed):
        if part.end > after.address:
            _report(entry, f"Components '{part.name}' and '{after.name}' overlap", findings)
            return


def _report(entry: BootEntry, message: str, findings: Findings) -> None:
    location = entry.image.location if entry.image is not None else entry.location
    findings.error("load-address", f"Section '{entry.name}': {message}", location)


def _placed(entry: BootEntry, files: FileLookup, version: ZiplVersion) -> list[_Placed]:
    parts = []
    if entry.image is not None:
        address = _LOWEST if entry.image.address is None else entry.image.address
        parts.append(_Placed("kernel image", address, _image_size(entry, files, version)))
    if entry.parmfile is not None and entry.parmfile.address is not None:
        area = _PARAMETER_AREA if version.asks_image_for_limit else LEGACY_PARAMETER_LIMIT
        parts.append(_Placed("parmline", entry.parmfile.address, _blocks(area)))
    if entry.ramdisk is not None and entry.ramdisk.address is not None:
        size = _blocks(files.look(entry.ramdisk.path).size)
        parts.append(_Placed("initial ramdisk", entry.ramdisk.address, size))
    return parts


def _image_size(entry: BootEntry, files: FileLookup, version: ZiplVersion) -> int:
    size = files.look(entry.image.path).size if entry.image is not None else 0
    if entry.kind is EntryKind.TAPE_IPL and not version.asks_image_for_limit:
        # The tape loader leaves out the first 64 KiB and needs some space behind the image.
        return _blocks(_blocks(max(size - _LOWEST, 0)) + 0x100)
    return _blocks(size)


def _blocks(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK
