"""/sys/firmware: what the kernel reports about the ultravisor, this IPL and the next one.

Which files exist in ``uv`` depends on the kernel (arch/s390/kernel/uv.c): before about 5.13 it only
has ``query/``, so a missing `prot_virt_host` does not mean 0. A reboot IPLs from the device in
``reipl``, whatever disk zipl has prepared (drivers/s390/char and arch/s390/kernel/ipl.c; chreipl(8)
and lsreipl(8) use the same files).
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
    from collections.abc import Callable, Collection, Mapping

    from secboot.system.root import Root

ULTRAVISOR = "/sys/firmware/uv"
INDICATIONS_NOTE = (
    'IBM says of prot_virt_host and prot_virt_guest: "indications, but do not prove"; they are for'
    " technical evaluations in trusted environments. Proof takes attestation."
)
"""IBM's statement about the two files; it must be shown wherever they are."""


class Ultravisor(NamedTuple):
    """`present` is whether the directory exists: it requires facility 158 and a kernel with support.

    The two indications are None if the kernel does not report them. `query` has the files in
    ``query/``, unchanged except for the newline at the end. `max_guests` is the number of secure
    guests that can run at a time, `max_address` the highest address of their pages in this host's
    memory; None if not reported.
    """

    present: bool
    prot_virt_host: bool | None = None
    prot_virt_guest: bool | None = None
    query: Mapping[str, str] = MappingProxyType({})
    max_guests: int | None = None
    max_address: int | None = None


def read_ultravisor(root: Root) -> Ultravisor:
    """Read the directory of a running system, or of a copy of its /sys."""
    if not root.exists(ULTRAVISOR):
        return Ultravisor(present=False)
    names = root.names_or_none(f"{ULTRAVISOR}/query") or ()
    read = [(name, root.text_or_none(f"{ULTRAVISOR}/query/{name}")) for name in names]
    query = {visible(name): value for name, value in read if value is not None}
    return Ultravisor(
        present=True,
        prot_virt_host=_indication(root, "prot_virt_host"),
        prot_virt_guest=_indication(root, "prot_virt_guest"),
        query=query,
        max_guests=_number(query.get("max_guests"), 10),
        # "%lx" without a prefix, unlike the numbers of guests and CPUs (uv_query_max_guest_addr).
        max_address=_number(query.get("max_address"), 16),
    )


def is_secure_guest(root: Root) -> bool:
    """Whether the running system indicates that it is a secure guest."""
    return bool(_indication(root, "prot_virt_guest"))


def _indication(root: Root, name: str) -> bool | None:
    text = root.text_or_none(f"{ULTRAVISOR}/{name}")
    return {"1": True, "0": False}.get(text or "")


def _number(text: str | None, base: int) -> int | None:
    digits = _DIGITS[:base]
    if not text or len(text) > _MAX_DIGITS or any(each not in digits for each in text):
        return None
    return int(text, base)


_DIGITS = "0123456789abcdef"
_MAX_DIGITS = 20
"""The length of a 64-bit number."""
REIPL = "/sys/firmware/reipl"
IPL = "/sys/firmware/ipl"
ON_REBOOT = "/sys/firmware/shutdown_actions/on_reboot"
_BUS_ID = re.compile(r"/([0-9a-f]{1,2}\.[0-9a-f]\.[0-9a-f]{4})(?=/)")
_MAX_DEPTH = 8
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
_TEXT_FILES = {"ccw": "parm", "nss": "parm"}
_ADDRESSES = {"fcp": ("wwpn", "lun"), "nvme": ("fid", "nsid"), "nss": ("name",)}
_PADDING = "\0 \n"
"""What the kernel strips from the end of the text (scpdata_length in arch/s390/boot/ipl_parm.c)."""


class IplSource(NamedTuple):
    """The source of an IPL. `type` is ccw, eckd, fcp, nvme, nss; `device` a bus id or PCI function.

    `loadparm` is the operator's selection (a menu number, a site), without trailing blanks; `parm`
    the text that is appended to the kernel's line, or replaces it if it starts with ``=``; None if
    not set. `bootprog` is the program number as text, if the machine itself selects the program (all
    but ccw). `address` has what else chreipl(8) needs to identify the device, by file name.
    """

    type: str
    device: str | None
    loadparm: str
    parm: str | None
    bootprog: str = ""
    address: Mapping[str, str] = MappingProxyType({})

    @property
    def text_name(self) -> str:
        """The name of `parm` where it is set."""
        return "IPL PARM" if self.type in _TEXT_FILES else "SCPDATA"


def read_ipl(root: Root) -> IplSource | None:
    """How the running system was IPLed; None if it does not report this."""
    return _source(root, f"{IPL}/ipl_type", lambda _: IPL)


def read_reipl(root: Root) -> IplSource | None:
    """What a reboot would IPL; None if the system does not report this."""
    return _source(root, f"{REIPL}/reipl_type", lambda kind: f"{REIPL}/{kind}")


def _source(root: Root, kind_file: str, base_of: Callable[[str], str]) -> IplSource | None:
    kind = root.text_or_none(kind_file)
    if kind is None:
        return None
    if _TYPE.fullmatch(kind) is None:
        return IplSource(kind, None, "", None)
    base = base_of(kind)

    def read(name: str) -> str:
        return (root.text_or_none(f"{base}/{name}") or "").rstrip(_PADDING)

    return IplSource(
        kind,
        read("device") or read("fid") or None,
        read("loadparm"),
        read(_TEXT_FILES.get(kind, "scp_data")) or None,
        read("bootprog"),
        {name: value for name in _ADDRESSES.get(kind, ()) if (value := read(name))},
    )


def is_elsewhere(source: IplSource, disks: Collection[str], ipl: IplSource | None = None) -> bool:
    """Whether an IPL source is certainly none of the disks.

    For a file system with unknown disks, such as btrfs, the disk of the last IPL is used instead. A
    LUN is the same disk on every path.
    """
    if source.device is None:
        return False
    if disks or ipl is None:
        return bool(disks) and source.device not in disks
    same_unit = source.type == ipl.type and source.address.get("lun") == ipl.address.get("lun", "")
    return ipl.device is not None and source.device != ipl.device and not same_unit


def disk_devices(root: Root, path: str) -> tuple[str, ...]:
    """The bus ids of the disks that hold `path`: ``0.0.0120``; empty if unknown.

    Device-mapper and multipath devices are resolved to their components. A SCSI disk is identified
    by the FCP device through which it is accessed.
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
    # In the path, the subchannel comes first and the device on it last.
    found = _BUS_ID.findall(f"{real}/")
    return found[-1:]
