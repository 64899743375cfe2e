"""/etc/fstab, only to find the root file system of a tree (fstab(5), mount(8))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

FSTAB = "/etc/fstab"
_SPECIFIC = r"(?:UUID|LABEL|PARTUUID|PARTLABEL)=[0-9A-Za-z._:+-]+|/dev/[0-9A-Za-z._:+/-]+"
"""A device that an initramfs can find by the same text, without quotes or blanks in it."""
_OF_A_BUILD = r"(?a:/dev/(?:root|ram\d*|loop\d+\S*|nbd\d+\S*|dm-\d+))"
"""Devices that belong to the machine that builds an image, or to a single boot."""
_SUBVOLUME = r"subvol(?:id)?=[0-9A-Za-z._@/+-]+"


class Fstab(NamedTuple):
    """The file; `text` is its content."""

    text: str

    @classmethod
    def parse(cls, text: str, path: str = FSTAB) -> Self:
        """Read any text; `path` is unused, and there because all parsers have it."""
        del path
        return cls(text)

    def root_parameters(self) -> str | None:
        """Return the parameters for this root file system: ``root=``, and a btrfs subvolume.

        None if no line, or more than one, is for ``/``, and if an initramfs can't use the device
        or it would be a different device on another machine (``/dev/loop0``).
        """
        found = [fields for fields in self._lines() if fields[1] == "/"]
        if len(found) != 1:
            return None
        device, _, kind, options = (*found[0], "", "")[:4]
        name, tag, value = device.partition("=")
        device = f"{name}{tag}{value.strip(chr(34))}"
        if not re.fullmatch(_SPECIFIC, device) or re.fullmatch(_OF_A_BUILD, device):
            return None
        words = [f"root={device}"]
        if kind == "btrfs":
            subvolumes = [each for each in options.split(",") if each.startswith("subvol")]
            if not all(re.fullmatch(_SUBVOLUME, each) for each in subvolumes):
                return None
            words += [f"rootflags={','.join(subvolumes)}"] if subvolumes else []
        return " ".join(words)

    def _lines(self) -> Iterator[list[str]]:
        for line in self.text.split("\n"):
            fields = line.split()
            if len(fields) > 1 and not fields[0].startswith("#"):
                yield fields
