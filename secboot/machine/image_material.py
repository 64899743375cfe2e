"""What lies in a tree to build an IBM Secure Execution image with: keys, certificates, the tool."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.machine.old_entries import OldEntry

HOST_KEYS = "/etc/se-hostkeys"
"""Where ostree and coreos-installer look for host-key documents."""
OSTREE_HOST_KEY = f"{HOST_KEYS}/ibm-z-hostkey"
"""What the paths begin with that ostree takes for host-key documents."""


class ImageMaterial(NamedTuple):
    """What was found to build a Secure Execution image with; all paths are inside the tree.

    `signing_keys` are certificates of IBM's signing keys, `certificates` those between them and the
    root CA. `unreadable` says which directory could not be looked into, and why. `builders` are the
    programs that are installed. `knows_its_host` is whether the running system can tell the hashes
    of the keys of the machine that it runs on. `free_names` are by the path of each Secure Execution
    image one beside it that nothing has yet. `old_entries` are boot entries that pvics has put
    aside, the newest kernel first. `home` is a directory that only root looks into.
    """

    host_keys: tuple[str, ...] = ()
    signing_keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    revocation_lists: tuple[str, ...] = ()
    unreadable: str | None = None
    builders: tuple[str, ...] = ()
    knows_its_host: bool = False
    free_names: Mapping[str, str] = MappingProxyType({})
    old_entries: tuple[OldEntry, ...] = ()
    home: str = "/root"


NO_IMAGE_MATERIAL = ImageMaterial()
