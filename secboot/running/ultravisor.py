"""``/sys/firmware/uv``: what the kernel tells of the ultravisor (arch/s390/kernel/uv.c).

Which files there are depends on the kernel: before about 5.13 it has only ``query/``, and so a
missing `prot_virt_host` does not mean 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.system_files import list_or_none, text_or_none
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.system.root import Root

DIRECTORY = "/sys/firmware/uv"
INDICATIONS_NOTE = (
    "prot_virt_host and prot_virt_guest are indications, no proof: whoever controls the system"
    " can make them say anything, so never base a security decision on them (IBM)"
)
"""What IBM's documentation says of the two files; it goes wherever they are shown."""


class Ultravisor(NamedTuple):
    """`present` is whether the directory is there at all: it takes facility 158 and a kernel for it.

    `host` and `guest` are the two indications, None where the kernel does not give them. `query`
    has the files below ``query/`` as they are, without the newline at the end.
    """

    present: bool
    host: bool | None = None
    guest: bool | None = None
    query: tuple[tuple[str, str], ...] = ()


def read_ultravisor(root: Root) -> Ultravisor:
    """Read the directory of a running system, or of a copy of one's /sys."""
    if not root.exists(DIRECTORY):
        return Ultravisor(present=False)
    names = list_or_none(root, f"{DIRECTORY}/query") or ()
    query = [(name, text_or_none(root, f"{DIRECTORY}/query/{name}")) for name in names]
    return Ultravisor(
        present=True,
        host=_indication(root, "prot_virt_host"),
        guest=_indication(root, "prot_virt_guest"),
        query=tuple((visible(name), value) for name, value in query if value is not None),
    )


def _indication(root: Root, name: str) -> bool | None:
    text = text_or_none(root, f"{DIRECTORY}/{name}")
    return {"1": True, "0": False}.get(text or "")
