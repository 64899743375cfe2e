"""The running system: its kernel line, what it runs on, and what the kernel made of it.

Everything is read through a root, so that a copy of /proc and /sys can stand for a machine. Only
the caller knows whether the root is the running system; another tree's /proc is nobody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.running.firmware import (
    IplSource,
    Ultravisor,
    disk_devices,
    read_ipl,
    read_reipl,
    read_ultravisor,
)
from secboot.running.hardware import (
    SECURE_EXECUTION_MACHINES,
    CpuInfo,
    KernelRelease,
    Level,
    SysInfo,
)

if TYPE_CHECKING:
    from secboot.running.kernel_log import KernelMessages
    from secboot.system.root import Root

_TRUE = {"1", "Y", "y"}


class RunningSystem(NamedTuple):
    """What can be seen of the running system; None means that it could not be read.

    `command_line` is /proc/cmdline without its newline. `kdump` marks a kdump kernel.
    `kvm_hpage` is kvm's parameter ``hpage``. `bounce_buffer_blocks` is the size of the bounce buffer
    from debugfs, in blocks of 2 KiB. `boot_record_disks` are the devices that hold the boot record.
    """

    command_line: str | None
    kernel: str | None
    cpu: CpuInfo
    sysinfo: SysInfo
    ultravisor: Ultravisor
    messages: KernelMessages
    kdump: bool
    kvm_hpage: bool | None
    bounce_buffer_blocks: int | None
    ipl: IplSource | None
    reipl: IplSource | None
    boot_record_disks: tuple[str, ...]

    @property
    def under_hypervisor(self) -> bool:
        """Whether z/VM or KVM runs this system."""
        return self.sysinfo.level in {Level.ZVM, Level.KVM}

    @property
    def under_zvm(self) -> bool:
        """Whether z/VM runs this system itself."""
        return self.sysinfo.level is Level.ZVM

    @property
    def in_lpar(self) -> bool:
        """Whether it runs in a logical partition."""
        return self.sysinfo.level is Level.LPAR

    @property
    def machine_type(self) -> str | None:
        """The four characters of the machine's type."""
        return self.cpu.machine_type or self.sysinfo.machine_type

    @property
    def machine_is_too_old(self) -> bool:
        """Whether the machine's type is known, and none that can have the feature."""
        return self.machine_type not in {None, *SECURE_EXECUTION_MACHINES}

    @property
    def release(self) -> KernelRelease | None:
        """The kernel's release."""
        return None if self.kernel is None else KernelRelease.parse(self.kernel)


def read_running(root: Root, messages: KernelMessages, boot_record: str | None) -> RunningSystem:
    """Read the system whose /proc and /sys are in the root; `boot_record` is a bootmap's path."""
    huge_pages = root.text_or_none("/sys/module/kvm/parameters/hpage")
    blocks = root.text_or_none("/sys/kernel/debug/swiotlb/io_tlb_nslabs") or ""
    return RunningSystem(
        command_line=root.text_or_none("/proc/cmdline"),
        kernel=root.text_or_none("/proc/sys/kernel/osrelease"),
        cpu=CpuInfo.parse(root.text_or_none("/proc/cpuinfo") or ""),
        sysinfo=SysInfo.parse(root.text_or_none("/proc/sysinfo") or ""),
        ultravisor=read_ultravisor(root),
        messages=messages,
        kdump=root.exists("/proc/vmcore"),
        kvm_hpage=None if huge_pages is None else huge_pages in _TRUE,
        bounce_buffer_blocks=int(blocks) if blocks.isdecimal() else None,
        ipl=read_ipl(root),
        reipl=read_reipl(root),
        boot_record_disks=() if boot_record is None else disk_devices(root, boot_record),
    )
