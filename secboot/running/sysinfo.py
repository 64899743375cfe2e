"""``/proc/sysinfo``: what the system runs on (arch/s390/kernel/sysinfo.c).

Without a virtual machine's block it runs in a logical partition. ``VM00`` is the innermost level.
"""

from __future__ import annotations

import re
from enum import StrEnum

from secboot.named_tuple import NamedTuple

_LEVEL = re.compile(r"^VM(\d\d) Control Program:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FIELD = re.compile(r"^(LPAR Name|Type):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class Level(StrEnum):
    """What runs the system."""

    LPAR = "LPAR"
    ZVM = "z/VM"
    KVM = "KVM"
    UNKNOWN = "unknown"


class SysInfo(NamedTuple):
    """`control_programs` are the hypervisors' names from the innermost outwards, without blanks."""

    control_programs: tuple[str, ...]
    machine: str | None
    lpar_name: str | None

    @classmethod
    def parse(cls, text: str) -> SysInfo:
        """Read any text; what is not there is empty or None."""
        levels = sorted(_LEVEL.findall(text))
        fields = dict(_FIELD.findall(text))
        names = tuple(re.sub(r"\s+", " ", name) for _, name in levels)
        return cls(names, fields.get("Type"), fields.get("LPAR Name"))

    @property
    def level(self) -> Level:
        """What runs this system itself, told as systemd does it (the word before the blank)."""
        if not self.control_programs:
            return Level.LPAR if self.machine is not None else Level.UNKNOWN
        return Level.ZVM if self.control_programs[0].split(" ")[0] == "z/VM" else Level.KVM

    def describe(self) -> str:
        """Say where the system runs: ``KVM under z/VM 6.4.0``, ``LPAR LP39``."""
        if self.level is Level.UNKNOWN:
            return "not known"
        if self.level is Level.LPAR:
            return f"LPAR {self.lpar_name}" if self.lpar_name else "LPAR"
        return " under ".join(
            "KVM" if name.startswith("KVM") else name for name in self.control_programs
        )
