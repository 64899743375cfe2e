"""``/proc/cpuinfo`` of an s390 kernel: facilities and machine type (arch/s390/kernel/processor.c)."""

from __future__ import annotations

import re

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


class CpuInfo(NamedTuple):
    """What the file says. `facilities` is None where the kernel does not list them (before 4.0)."""

    is_s390: bool
    facilities: frozenset[int] | None
    machine: str | None

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
