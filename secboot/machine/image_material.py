"""Material in a tree for an IBM Secure Execution image: keys, certificates, the build tool."""

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
"""The start of the paths that ostree uses as host-key documents."""


class ImageMaterial(NamedTuple):
    """What was found for building a Secure Execution image; all paths are inside the tree.

    `signing_keys` are certificates of IBM's signing keys, `certificates` those between them and the
    root CA. `unreadable` says which directory could not be read, and why. `builders` are the
    installed programs. `knows_its_host` is whether the running system knows the hashes of the keys
    of its machine. `free_names` maps the path of each Secure Execution image to an unused name next
    to it. `old_entries` are boot entries that pvics renamed, the newest kernel first. `home` is a
    directory that only root can read.
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
