"""/sys/firmware: what the kernel tells of the ultravisor, of this IPL and of the next one.

Which files there are below ``uv`` depends on the kernel (arch/s390/kernel/uv.c): before about 5.13
it has only ``query/``, and so a missing `prot_virt_host` does not mean 0. A reboot IPLs again from
the device in ``reipl``, whatever disk zipl has prepared (drivers/s390/char and
arch/s390/kernel/ipl.c; chreipl(8) and lsreipl(8) use the same files).
"""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.system.root import Root

ULTRAVISOR = "/sys/firmware/uv"
INDICATIONS_NOTE = (
    "prot_virt_host and prot_virt_guest are indications, no proof: whoever controls the system"
    " can make them say anything, so never base a security decision on them (IBM)"
)
"""What IBM's documentation says of the two files; it goes wherever they are shown."""


class Ultravisor(NamedTuple):
    """`present` is whether the directory is there at all: it takes facility 158 and a kernel for it.

    The two indications are None where the kernel does not give them. `query` has the files below ``query/`` as they are, without the newline at the end.
    """

    present: bool
    prot_virt_host: bool | None = None
    prot_virt_guest: bool | None = None
    query: Mapping[str, str] = MappingProxyType({})


def read_ultravisor(root: Root) -> Ultravisor:
    """Read the directory of a running system, or of a copy of one's /sys."""
    if not root.exists(ULTRAVISOR):
        return Ultravisor(present=False)
    names = root.names_or_none(f"{ULTRAVISOR}/query") or ()
    query = [(name, root.text_or_none(f"{ULTRAVISOR}/query/{name}")) for name in names]
    return Ultravisor(
        present=True,
        prot_virt_host=_indication(root, "prot_virt_host"),
        prot_virt_guest=_indication(root, "prot_virt_guest"),
        query={visible(name): value for name, value in query if value is not None},
    )


def _indication(root: Root, name: str) -> bool | None:
    text = root.text_or_none(f"{ULTRAVISOR}/{name}")
    return {"1": True, "0": False}.get(text or "")


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
    return _source(root, f"{IPL}/ipl_type", lambda _: IPL)


def read_reipl(root: Root) -> IplSource | None:
    """What a reboot would IPL; None where it does not tell."""
    return _source(root, f"{REIPL}/reipl_type", lambda kind: f"{REIPL}/{kind}")


def _source(root: Root, kind_file: str, base_of: Callable[[str], str]) -> IplSource | None:
    kind = root.text_or_none(kind_file)
    if kind is None:
        return None
    base = base_of(kind)
    device = root.text_or_none(f"{base}/device") or root.text_or_none(f"{base}/fid")
    parm = root.text_or_none(f"{base}/parm") or root.text_or_none(f"{base}/scp_data")
    loadparm = root.text_or_none(f"{base}/loadparm") or ""
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
    slaves = root.names_or_none(f"{real}/slaves") or ()
    if slaves:
        return [i for name in slaves for i in _bus_ids(root, f"{real}/slaves/{name}", depth + 1)]
    # Below a channel subsystem the subchannel comes first, the device on it last.
    found = _BUS_ID.findall(f"{real}/")
    return found[-1:]


def _without_padding(text: str | None) -> str | None:
    stripped = (text or "").strip("\0 \n")
    return stripped or None
