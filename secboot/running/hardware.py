"""What the system runs on: /proc/cpuinfo, /proc/sysinfo, and the kernel's release.

The files are those of arch/s390/kernel/processor.c and sysinfo.c. Without a virtual machine's
block in the latter the system runs in a logical partition; ``VM00`` is the innermost level.
"""

from __future__ import annotations

import re
from enum import StrEnum

from secboot.named_tuple import NamedTuple

ULTRAVISOR_CALL = 158
"""The facility that a Secure Execution host needs; a guest in Secure Execution mode has it too."""
UNPACK = 161
"""What a Secure Execution host offers its guests: to go into Secure Execution mode."""

SECURE_EXECUTION_MACHINES = {
    "8561": "z15",
    "8562": "z15 T02 / LinuxONE III LT2",
    "3931": "z16 / LinuxONE 4",
    "3932": "z16 A02 / LinuxONE 4 LA2",
    "9175": "z17",
    "9176": "z17 ME2",
}
"""Machine types that can have the feature, with their names (setup_elf_platform)."""

_FACILITIES = re.compile(r"^facilities\s*:(.*)$", re.MULTILINE)
_MACHINE = re.compile(r"^processor \d+:.*\bmachine = ([0-9A-F]{4})", re.MULTILINE)
_VENDOR = re.compile(r"^vendor_id\s*:\s*IBM/S390\s*$", re.MULTILINE)
_LEVEL = re.compile(r"^VM(\d\d) Control Program:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FIELD = re.compile(r"^(LPAR Name|Type):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class CpuInfo(NamedTuple):
    """What the file says. `facilities` is None where the kernel does not list them (before 4.0)."""

    ibm_z: bool
    facilities: frozenset[int] | None
    machine_type: str | None

    @classmethod
    def parse(cls, text: str) -> CpuInfo:
        """Read any text; what is not there is None."""
        listed = _FACILITIES.search(text)
        numbers = None
        if listed is not None:
            numbers = frozenset(int(word) for word in listed[1].split() if word.isdecimal())
        machine = _MACHINE.search(text)
        return cls(
            _VENDOR.search(text) is not None, numbers, None if machine is None else machine[1]
        )

    def has(self, facility: int) -> bool | None:
        """Whether the machine has a facility; None where that is not known."""
        return None if self.facilities is None else facility in self.facilities

    @property
    def ultravisor_call(self) -> bool | None:
        """Whether there is an ultravisor for this system: for its host, or for it as a guest."""
        return self.has(ULTRAVISOR_CALL)

    @property
    def unpack(self) -> bool | None:
        """Whether the host offers to go into Secure Execution mode."""
        return self.has(UNPACK)


class Level(StrEnum):
    """What runs the system."""

    LPAR = "LPAR"
    ZVM = "z/VM"
    KVM = "KVM"
    UNKNOWN = "unknown"


class SysInfo(NamedTuple):
    """`hypervisors` are their names from the innermost outwards, without blanks."""

    hypervisors: tuple[str, ...]
    machine_type: str | None
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
        if not self.hypervisors:
            return Level.LPAR if self.machine_type is not None else Level.UNKNOWN
        return Level.ZVM if self.hypervisors[0].split(" ")[0] == "z/VM" else Level.KVM

    def describe(self) -> str:
        """Say where the system runs: ``KVM under z/VM 6.4.0``, ``LPAR LP39``."""
        if self.level is Level.UNKNOWN:
            return "not known"
        if self.level is Level.LPAR:
            return f"LPAR {self.lpar_name}" if self.lpar_name else "LPAR"
        return " under ".join(
            "KVM" if name.startswith("KVM") else name for name in self.hypervisors
        )


_RELEASE = re.compile(r"(\d+)\.(\d+)")


class KernelRelease(NamedTuple):
    """Major and minor number. A distribution's kernel can have newer features under an old one."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> KernelRelease | None:
        """Read ``5.14.0-427.el9.s390x``; None for what is no release."""
        found = _RELEASE.match(text)
        return None if found is None else cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"
