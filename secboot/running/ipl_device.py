"""Which disk the next IPL is from, and which disk a directory is on.

A reboot IPLs again from the device in /sys/firmware/reipl, whatever disk zipl has prepared
(drivers/s390/char and arch/s390/kernel/ipl.c; chreipl(8) and lsreipl(8) use the same files).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.system.system_files import list_or_none, text_or_none

if TYPE_CHECKING:
    from secboot.system.root import Root

REIPL = "/sys/firmware/reipl"
IPL = "/sys/firmware/ipl"
_BUS_ID = re.compile(r"/([0-9a-f]{1,2}\.[0-9a-f]\.[0-9a-f]{4})(?=/)")
_MAX_DEPTH = 8


class IplSource(NamedTuple):
    """Where an IPL is from. `type` is ccw, eckd, fcp, nvme, nss; `device` a bus id or PCI function.

    `loadparm` is the operator's choice (a menu number, a site), stripped; `parm` the text that is
    added to the kernel's line, or replaces it with a leading ``=``, None where there is none.
    """

    type: str
    device: str | None
    loadparm: str
    parm: str | None


def read_ipl(root: Root) -> IplSource | None:
    """How the running system was IPLed; None where it does not tell."""
    kind = text_or_none(root, f"{IPL}/ipl_type")
    if kind is None:
        return None
    device = text_or_none(root, f"{IPL}/device") or text_or_none(root, f"{IPL}/fid")
    parm = text_or_none(root, f"{IPL}/parm") or text_or_none(root, f"{IPL}/scp_data")
    loadparm = text_or_none(root, f"{IPL}/loadparm") or ""
    return IplSource(kind, device, loadparm.strip(), _without_padding(parm))


def read_reipl(root: Root) -> IplSource | None:
    """What a reboot would IPL; None where it does not tell."""
    kind = text_or_none(root, f"{REIPL}/reipl_type")
    if kind is None:
        return None
    base = f"{REIPL}/{kind}"
    device = text_or_none(root, f"{base}/device") or text_or_none(root, f"{base}/fid")
    parm = text_or_none(root, f"{base}/parm") or text_or_none(root, f"{base}/scp_data")
    loadparm = text_or_none(root, f"{base}/loadparm") or ""
    return IplSource(kind, device, loadparm.strip(), _without_padding(parm))


def disk_devices(root: Root, path: str) -> tuple[str, ...]:
    """The bus ids of the disks that hold `path`: ``0.0.0120``; empty where that can't be told.

    Device-mapper and multipath devices are followed to what they are made of. A SCSI disk is
    known by the FCP device that it is reached through.
    """
    try:
        status = root.stat(path)
        if status is None:
            return ()
        number = f"{os.major(status.device)}:{os.minor(status.device)}"
        return tuple(dict.fromkeys(_bus_ids(root, f"/sys/dev/block/{number}", 0)))
    except FileError:
        return ()


def _bus_ids(root: Root, link: str, depth: int) -> list[str]:
    if depth > _MAX_DEPTH or not root.exists(link):
        return []
    real = root.real_path(link)
    slaves = list_or_none(root, f"{real}/slaves") or ()
    if slaves:
        return [i for name in slaves for i in _bus_ids(root, f"{real}/slaves/{name}", depth + 1)]
    # Below a channel subsystem the subchannel comes first, the device on it last.
    found = _BUS_ID.findall(f"{real}/")
    return found[-1:]


def _without_padding(text: str | None) -> str | None:
    stripped = (text or "").strip("\0 \n")
    return stripped or None
