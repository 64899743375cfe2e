"""The kernels that a generated grub.cfg starts; it is only ever read.

grub2-mkconfig writes each as a line ``linux PATH PARAMETER...`` inside a menu entry.
"""

from __future__ import annotations

import re

from secboot.named_tuple import NamedTuple

_LINUX = r"^[ \t]*linux(?:efi|16)?[ \t]+(\S+)(?:[ \t]+([^\n]*))?$"


class GrubKernel(NamedTuple):
    """One ``linux`` command: its line in the file, from 1, the image, and the parameters."""

    number: int
    image: str
    parameters: str


class GrubCfg(NamedTuple):
    """The kernels in the order of the file; the first is that of the first menu entry."""

    kernels: tuple[GrubKernel, ...]

    @classmethod
    def parse(cls, text: str, _path: str = "grub.cfg") -> GrubCfg:
        """Read any text; never raises."""
        matches = (
            (number, re.match(_LINUX, line)) for number, line in enumerate(text.split("\n"), 1)
        )
        return cls(
            tuple(
                GrubKernel(number, match[1], (match[2] or "").rstrip())
                for number, match in matches
                if match is not None
            )
        )
