"""The running system: its command line, what it runs on, and how the kernel applied the line.

Everything is read through a root, so that a copy of /proc and /sys can represent a machine. Only
the caller knows whether the root is the running system; /proc of another tree is meaningless.
/proc/cpuinfo and /proc/sysinfo are those of arch/s390/kernel/processor.c and sysinfo.c.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.formats.kernel_release import release_number
from secboot.formats.numbers import at_most
from secboot.named_tuple import NamedTuple
from secboot.running import firmware

if TYPE_CHECKING:
    from secboot.running.kernel_log import KernelMessages
    from secboot.system.root import Root

ULTRAVISOR_CALL = 158
"""The facility that a Secure Execution host needs; a guest in Secure Execution mode has it too."""
UNPACK = 161
"""The facility with which a host lets its guests switch to Secure Execution mode."""

SECURE_EXECUTION_MACHINES = {
    "8561": "z15",
    "8562": "z15 T02 / LinuxONE III LT2",
    "3931": "z16 / LinuxONE 4",
    "3932": "z16 A02 / LinuxONE 4 LA2",
    "9175": "z17",
    "9176": "z17 ME2",
}
"""Machine types that can have the feature, with their names (setup_elf_platform)."""
OLDER_MACHINES = frozenset(
    {
        *("9672", "2064", "2066", "2084", "2086", "2094", "2096", "2097", "2098", "2817", "2818"),
        *("2827", "2828", "2964", "2965", "3906", "3907"),
    }
)
"""Machine types before z15, from 9672 to z14 ZR1. A type in neither table is a newer machine."""

_FACILITIES = re.compile(r"^facilities\s*:(.*)$", re.MULTILINE)
_MACHINE = re.compile(r"^processor \d+:.*\bmachine = ([0-9A-F]{4})", re.MULTILINE)
_VENDOR = re.compile(r"^vendor_id\s*:\s*IBM/S390\s*$", re.MULTILINE)
_LEVEL = re.compile(r"^VM(\d\d) Control Program:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FIELD = re.compile(r"^(LPAR Name|Type):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Contains an id that differs for each boot of a system (random(4))."""
_RELEASE = "/proc/sys/kernel/osrelease"
_BOOT_TIME = re.compile(r"^btime (\d{1,11})$", re.MULTILINE | re.ASCII)
_MEM_TOTAL = re.compile(r"^MemTotal: *(\d{1,15}) kB$", re.MULTILINE | re.ASCII)
_MEMORY_STEP = 256 * 2**20
"""In bytes. Memory is a multiple of this; the kernel uses less for itself."""
BOUNCE_BUFFER = "/sys/kernel/debug/swiotlb/io_tlb_nslabs"
BOUNCE_BUFFER_USED = "/sys/kernel/debug/swiotlb/io_tlb_used_hiwater"
_TRUE = {"1", "Y", "y"}


class Level(StrEnum):
    """The level above the system."""

    LPAR = "LPAR"
    ZVM = "z/VM"
    KVM = "KVM"
    UNKNOWN = "unknown"


class Hardware(NamedTuple):
    """What the system runs on. `machine_type` has four characters; None means unknown.

    `hypervisors` are their names from the innermost outwards, without repeated blanks. Without a
    hypervisor, the system runs in a logical partition, if it reports its machine. `facilities` is
    None if the kernel does not list them (before 4.0).
    """

    ibm_z: bool
    machine_type: str | None
    lpar_name: str | None
    hypervisors: tuple[str, ...]
    runs_in: Level
    facilities: frozenset[int] | None

    @classmethod
    def parse(cls, cpuinfo: str, sysinfo: str) -> Hardware:
        """Read any two texts; missing information is unknown."""
        machine, listed = _MACHINE.search(cpuinfo), _FACILITIES.search(cpuinfo)
        fields = dict(_FIELD.findall(sysinfo))
        hypervisors = tuple(
            re.sub(r"\s+", " ", name) for _, name in sorted(_LEVEL.findall(sysinfo))
        )
        if hypervisors:  # detected as systemd does, by the word before the blank
            runs_in = Level.ZVM if hypervisors[0].split(" ")[0] == "z/VM" else Level.KVM
        else:
            runs_in = Level.LPAR if "Type" in fields else Level.UNKNOWN
        return cls(
            ibm_z=_VENDOR.search(cpuinfo) is not None,
            machine_type=fields.get("Type") if machine is None else machine[1],
            lpar_name=fields.get("LPAR Name"),
            hypervisors=hypervisors,
            runs_in=runs_in,
            facilities=None
            if listed is None
            else frozenset(at_most(word) for word in listed[1].split() if word.isdecimal()),
        )

    def has(self, facility: int) -> bool | None:
        """Whether the machine has a facility; None if unknown."""
        return None if self.facilities is None else facility in self.facilities

    @property
    def has_ultravisor(self) -> bool | None:
        """Whether this system has an ultravisor, as a host or as a guest."""
        return self.has(ULTRAVISOR_CALL)

    @property
    def offers_unpack(self) -> bool | None:
        """Whether the host lets the system switch to Secure Execution mode."""
        return self.has(UNPACK)

    @property
    def in_lpar(self) -> bool:
        """Whether it runs in a logical partition."""
        return self.runs_in is Level.LPAR

    @property
    def under_zvm(self) -> bool:
        """Whether the system runs directly under z/VM."""
        return self.runs_in is Level.ZVM

    @property
    def under_hypervisor(self) -> bool:
        """Whether the system runs under z/VM or KVM."""
        return self.runs_in in {Level.ZVM, Level.KVM}

    @property
    def is_too_old(self) -> bool:
        """Whether the machine type is known to lack the feature."""
        return self.machine_type in OLDER_MACHINES

    def describe(self) -> str:
        """Return where the system runs: ``KVM under z/VM 6.4.0``, ``LPAR LP39``."""
        if self.runs_in is Level.UNKNOWN:
            return "hypervisor unknown"
        if self.runs_in is Level.LPAR:
            return f"LPAR {self.lpar_name}" if self.lpar_name else "LPAR"
        return " under ".join("KVM" if n.startswith("KVM") else n for n in self.hypervisors)


class RebootSettings(NamedTuple):
    """What a reboot starts from. `secure_guest` is whether the system itself is a secure guest.

    `elsewhere` means that the boot record is certainly on other disks. `on_reboot` is the action of
    a reboot, None if unknown (chshut(8)).
    """

    source: firmware.IplSource
    runs_in: Level = Level.UNKNOWN
    secure_guest: bool = False
    elsewhere: bool = False
    on_reboot: str | None = None


class BootFacts(NamedTuple):
    """The present boot of the running system, its line, and what a reboot starts from.

    `boot` differs for each boot; empty if unknown.
    """

    boot: str
    command_line: str | None
    ipl: firmware.IplSource | None
    reboot: RebootSettings | None


class LiveFacts(NamedTuple):
    """What a plan for the running system needs to know about it.

    `hosting_kernel` is the release of the running kernel if it shows that it can be a Secure
    Execution host. `memory` is in bytes.
    """

    reboot: RebootSettings | None = None
    hosting_kernel: str | None = None
    memory: int | None = None


class RunningSystem(NamedTuple):
    """What the running system reports; None means that it could not be read.

    `command_line` is /proc/cmdline without the newline, `kernel` the release of the kernel. `kdump`
    marks a kdump kernel. `kvm_hpage` is the parameter ``hpage`` of kvm. `bounce_buffer_blocks` is
    the size of the bounce buffer from debugfs, in blocks of 2 KiB. `boot_record_disks` are the
    devices that hold the boot record. `booted_at` is in seconds since 1970. `on_reboot` is the
    action of a reboot: ``reipl`` unless somebody changed it. `bounce_buffer_used_blocks` is the
    most blocks in use at the same time, since boot or since it was reset. `memory` is the memory
    of the system, in bytes.
    """

    command_line: str | None
    kernel: str | None
    hardware: Hardware
    ultravisor: firmware.Ultravisor
    messages: KernelMessages
    kdump: bool
    kvm_hpage: bool | None
    bounce_buffer_blocks: int | None
    ipl: firmware.IplSource | None
    reipl: firmware.IplSource | None
    boot_record_disks: tuple[str, ...]
    booted_at: int | None = None
    on_reboot: str | None = None
    bounce_buffer_used_blocks: int | None = None
    memory: int | None = None

    @property
    def reboot_settings(self) -> RebootSettings | None:
        """What a reboot starts from; None if the system does not report this."""
        if self.reipl is None:
            return None
        return RebootSettings(
            self.reipl,
            self.hardware.runs_in,
            bool(self.ultravisor.prot_virt_guest),
            firmware.is_elsewhere(self.reipl, self.boot_record_disks, self.ipl),
            self.on_reboot,
        )

    @property
    def release(self) -> tuple[int, int] | None:
        """The kernel's major and minor number; None if its release has none.

        A distribution's kernel can have backported features: check for the feature itself first, and
        use the number only if nothing else shows it.
        """
        return release_number(self.kernel or "")


def read_reboot_settings(root: Root, boot_record: str) -> RebootSettings | None:
    """Read only what a reboot of the system starts from; `boot_record` is the path of the bootmap."""
    source = firmware.read_reipl(root)
    if source is None:
        return None
    hardware = Hardware.parse("", root.text_or_none("/proc/sysinfo") or "")
    disks = firmware.disk_devices(root, boot_record)
    elsewhere = firmware.is_elsewhere(source, disks, firmware.read_ipl(root))
    return RebootSettings(
        source,
        hardware.runs_in,
        firmware.is_secure_guest(root),
        elsewhere,
        root.text_or_none(firmware.ON_REBOOT),
    )


def read_boot_facts(root: Root, boot_record: str) -> BootFacts:
    """Read how the running system was booted, and what a reboot starts from."""
    return BootFacts(
        root.text_or_none(BOOT_ID) or "",
        root.text_or_none("/proc/cmdline"),
        firmware.read_ipl(root),
        read_reboot_settings(root, boot_record),
    )


def read_live_facts(root: Root, boot_record: str) -> LiveFacts:
    """Read what a plan for the running system needs to know about it."""
    shows = root.exists(f"{firmware.ULTRAVISOR}/prot_virt_host")
    release = root.text_or_none(_RELEASE) if shows else None
    memory = _memory(root, _number(root, BOUNCE_BUFFER))
    return LiveFacts(read_reboot_settings(root, boot_record), release, memory)


def read_running(root: Root, messages: KernelMessages, boot_record: str | None) -> RunningSystem:
    """Read the system with /proc and /sys in the root; `boot_record` is the path of the bootmap."""
    huge_pages = root.text_or_none("/sys/module/kvm/parameters/hpage")
    blocks, mib = _number(root, BOUNCE_BUFFER), messages.bounce_buffer_mib
    return RunningSystem(
        command_line=root.text_or_none("/proc/cmdline"),
        kernel=root.text_or_none(_RELEASE),
        hardware=Hardware.parse(
            root.text_or_none("/proc/cpuinfo") or "", root.text_or_none("/proc/sysinfo") or ""
        ),
        ultravisor=firmware.read_ultravisor(root),
        messages=messages,
        kdump=root.exists("/proc/vmcore"),
        kvm_hpage=None if huge_pages is None else huge_pages in _TRUE,
        bounce_buffer_blocks=blocks,
        ipl=firmware.read_ipl(root),
        reipl=firmware.read_reipl(root),
        boot_record_disks=() if boot_record is None else firmware.disk_devices(root, boot_record),
        booted_at=_booted_at(root),
        on_reboot=root.text_or_none(firmware.ON_REBOOT),
        bounce_buffer_used_blocks=_number(root, BOUNCE_BUFFER_USED),
        memory=_memory(root, mib * 512 if blocks is None and mib is not None else blocks),
    )


def _number(root: Root, path: str) -> int | None:
    text = root.text_or_none(path) or ""
    return at_most(text) if text.isascii() and text.isdecimal() else None


def _memory(root: Root, bounce_buffer_blocks: int | None) -> int | None:
    """The memory of the system: what the kernel manages, and what it reserved before.

    MemTotal excludes the bounce buffer, whose size must be known in a secure guest, and the kernel
    itself, so the result is rounded up.
    """
    found = _MEM_TOTAL.search(root.text_or_none("/proc/meminfo") or "")
    if found is None or (bounce_buffer_blocks is None and firmware.is_secure_guest(root)):
        return None
    known = int(found[1]) * 1024 + (bounce_buffer_blocks or 0) * 2048
    return -(-known // _MEMORY_STEP) * _MEMORY_STEP


def _booted_at(root: Root) -> int | None:
    found = _BOOT_TIME.search(root.text_or_none("/proc/stat") or "")
    return None if found is None else int(found[1])
