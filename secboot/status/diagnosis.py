"""Why a stage is missing, likeliest cause first, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel import prot_virt
from secboot.profile.prot_virt import ProtVirtRequirement
from secboot.profile.swiotlb import SwiotlbSizeRequirement
from secboot.running.cpuinfo import SECURE_EXECUTION_MACHINES, ULTRAVISOR_CALL, UNPACK
from secboot.running.release import FIRST_WITH_PROT_VIRT
from secboot.running.sysinfo import Level
from secboot.status.effective import hosts_guests
from secboot.status.model import Advice, Notice, Result, Verdict

if TYPE_CHECKING:
    from secboot.ipl.boot_record import BootRecord
    from secboot.profile.requirement import Requirement
    from secboot.running.running import RunningSystem

REBOOT = "reboot, then look again: secboot status"


def advise_running(installed: Verdict, running: RunningSystem, origin: str) -> tuple[Advice, ...]:
    """Why the running line lacks what is asked for."""
    found = []
    if installed is Verdict.MET:
        wrong_disk = another_disk(running)
        if wrong_disk is not None:
            found.append(wrong_disk)
        found.append(Advice("the system has not been IPLed since zipl ran", REBOOT))
        if "no boot entry" not in origin:
            found.append(
                Advice(f"{origin}", "choose the right entry at the next IPL (LOADPARM, chreipl -L)")
            )
        return tuple(found)
    return (Advice("the boot record did not hold it either", "first have it installed"),)


def another_disk(running: RunningSystem) -> Advice | None:
    """Tell of a re-IPL device that is not the disk on which the boot record was written."""
    reipl = running.reipl
    if reipl is None or reipl.device is None or not running.boot_disks:
        return None
    if reipl.device in running.boot_disks:
        return None
    disks = " ".join(running.boot_disks)
    return Advice(
        f"a reboot IPLs from {reipl.device}, but the boot record is on {disks}",
        f"chreipl {running.boot_disks[0]}",
    )


def advise_effective(requirement: Requirement, result: Result, running: RunningSystem) -> Result:
    """Add the likely causes to a last stage that is missing."""
    if result.verdict is not Verdict.MISSING:
        return result
    found: list[Advice] = []
    if isinstance(requirement, ProtVirtRequirement):
        found = _no_hosting(running)
    elif isinstance(requirement, SwiotlbSizeRequirement):
        found = _no_buffer(running)
    return Result(result.stage, result.verdict, result.reason, tuple(found))


def _lack(why: str, next_step: str) -> Advice:
    """A cause that lies in the machine, whatever its boot files say."""
    return Advice(why, next_step, of_machine=True)


def _no_hosting(running: RunningSystem) -> list[Advice]:
    if hosts_guests(running)[0]:
        return [_lack("the kernel was booted with prot_virt=1", REBOOT)]
    found = []
    level = running.sysinfo.level
    if running.ultravisor.guest:
        found.append(
            _lack("this system is itself a Secure Execution guest", "use a guest profile here")
        )
    if level in {Level.ZVM, Level.KVM}:
        found.append(
            _lack(
                f"a host must run in an LPAR; this system runs under {running.sysinfo.describe()}",
                "apply the host profile in the LPAR itself, and a guest profile here",
            )
        )
    if running.capture:
        found.append(
            _lack("this is a kdump kernel, which leaves the ultravisor alone", "boot normally")
        )
    found += _hardware(running, level)
    if running.release is not None and running.release < FIRST_WITH_PROT_VIRT:
        found.append(
            _lack(f"kernel {running.release} is older than {FIRST_WITH_PROT_VIRT}", "update it")
        )
    found += [
        _lack(f"the kernel says: {text}", "give the LPAR more memory, or ask IBM support")
        for text in running.messages.failures[:1]
    ]
    return found or [_silent_refusal(running)]


def _silent_refusal(running: RunningSystem) -> Advice:
    """Since 5.15 the kernel does not say why it leaves hosting off."""
    line = CommandLine.parse(running.command_line or "")
    if not prot_virt.enabling(line):
        return Advice("the kernel was not booted with prot_virt=1", f"see above; {REBOOT}")
    if not running.ultravisor.present:
        return _lack(
            "this kernel was built without it (CONFIG_KVM)", "boot a kernel that can host guests"
        )
    return _lack(
        "the kernel has the parameter and does not say why it leaves hosting off",
        "look at: dmesg | grep -i -e prot_virt -e ultravisor",
    )


def _hardware(running: RunningSystem, level: Level) -> list[Advice]:
    has = running.cpu.has(ULTRAVISOR_CALL)
    machine = running.cpu.machine or running.sysinfo.machine
    if has is not False or level not in {Level.LPAR, Level.UNKNOWN}:
        return []
    if machine is not None and machine not in SECURE_EXECUTION_MACHINES:
        return [_lack(f"machine type {machine} is older than z15", "use a z15 or newer")]
    return [
        _lack(
            "the Secure Execution feature (facility 158) is not enabled for this partition",
            'have it enabled: see IBM\'s documentation, "Enabling the KVM host for Secure Execution"',
        )
    ]


def _no_buffer(running: RunningSystem) -> list[Advice]:
    if running.ultravisor.guest:
        return [_small_buffer(running)]
    level = running.sysinfo.level
    if level is Level.LPAR:
        return [_lack("this is an LPAR, not a guest", "apply the guest profile in the guest")]
    if level is Level.ZVM:
        return [_lack("a z/VM guest can't run in Secure Execution mode", "use a KVM guest")]
    if running.cpu.has(UNPACK) is False:
        return [
            _lack(
                "the host does not offer Secure Execution (facility 161 is missing)",
                "apply the host profile on the host, and reboot it",
            )
        ]
    return [
        _lack(
            "the guest was started from an ordinary kernel",
            "build a Secure Execution image with pvimg create --parmfile, and boot that",
        )
    ]


def _small_buffer(running: RunningSystem) -> Advice:
    if running.messages.adjusted is not None:
        wanted, got = running.messages.adjusted
        return _lack(
            f"the kernel found no room for {wanted} blocks below 2 GiB and took {got}",
            "give the guest more memory, or ask for less",
        )
    return _lack(
        "the guest was booted with another swiotlb=",
        "rebuild its Secure Execution image with the right parmfile, and boot that",
    )


def machine_notices(role: str, running: RunningSystem, record: BootRecord) -> list[Notice]:
    """What should be known of the machine as a whole."""
    found = [*_role_notices(role, running)]
    if running.capture:
        found.append(
            Notice("kdump", "this is a kdump kernel: its parameter line is not the system's own")
        )
    if role == "host" and running.huge_pages:
        found.append(
            Notice(
                "huge-pages",
                "kvm.hpage=1: Secure Execution guests can't be backed with huge pages",
                "start such guests without huge page backing",
            )
        )
    if running.messages.full:
        found.append(
            Notice(
                "bounce-buffer-full",
                f"the bounce buffer ran full: {running.messages.full[-1]}",
                "ask for a larger swiotlb",
            )
        )
    if record.bootmap is not None:
        disk = another_disk(running)
        if disk is not None:
            found.append(Notice("reipl-device", disk.why, disk.next_step))
    return found


def _role_notices(role: str, running: RunningSystem) -> list[Notice]:
    level = running.sysinfo.level
    where = running.sysinfo.describe()
    if role == "host" and running.ultravisor.guest:
        return [Notice("role", "a host profile, but this is a Secure Execution guest")]
    if role == "host" and level in {Level.KVM, Level.ZVM}:
        return [Notice("role", f"a host profile, but this system is a guest: {where}")]
    if role == "guest" and level is Level.LPAR:
        return [Notice("role", f"a guest profile, but this system runs in an LPAR: {where}")]
    return []
