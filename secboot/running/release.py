"""Kernel releases, as ``uname -r`` gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class KernelRelease:
    """Major and minor number. A distribution's kernel can have newer features under an old one."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> KernelRelease | None:
        """Read ``5.14.0-427.el9.s390x``; None for what is no release."""
        found = _PATTERN.match(text)
        return None if found is None else cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


FIRST_WITH_PROT_VIRT = KernelRelease(5, 7)
"""The first release that can host Secure Execution guests."""
FIRST_WITH_INDICATIONS = KernelRelease(5, 13)
"""About the first with /sys/firmware/uv/prot_virt_*: not in 5.10, but in 5.15."""
