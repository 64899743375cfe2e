"""Whether the running kernel honoured a requirement, told by what it shows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel.swiotlb import BLOCK_BYTES, Generation, rounded, size_text
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement
from secboot.profile.swiotlb import Bound, SwiotlbAbsentRequirement, SwiotlbSizeRequirement
from secboot.running.cpuinfo import ULTRAVISOR_CALL
from secboot.running.ultravisor import DIRECTORY
from secboot.status.model import Result, Stage, Verdict

if TYPE_CHECKING:
    from secboot.profile.requirement import Requirement
    from secboot.running.running import RunningSystem

_BLOCKS_PER_MIB = 2**20 // BLOCK_BYTES


def judge_effective(requirement: Requirement, running: RunningSystem) -> Result:
    """Judge the last stage. For other parameters than the two known ones there is no sign."""
    if isinstance(requirement, ProtVirtRequirement):
        return _hosting(requirement, running)
    if isinstance(requirement, SwiotlbSizeRequirement):
        return _bounce_buffer(requirement, running)
    if isinstance(requirement, SwiotlbAbsentRequirement):
        return _result(Verdict.NOT_APPLICABLE, "nothing is asked of the bounce buffer")
    return _result(Verdict.NOT_APPLICABLE, "the kernel gives no sign of it")


def hosts_guests(running: RunningSystem) -> tuple[bool | None, str]:
    """Whether the kernel hosts Secure Execution guests, None if that is not known, and why."""
    host = running.ultravisor.host
    if host is not None:
        return host, f"{DIRECTORY}/prot_virt_host is {int(host)}"
    messages = running.messages
    if messages.failures:
        return False, f"the kernel says: {messages.failures[0]}"
    if messages.reserved is not None:
        return True, f"the kernel reserved {messages.reserved} MiB for the ultravisor"
    return _without_signs(running)


def _without_signs(running: RunningSystem) -> tuple[bool | None, str]:
    """What is known of a kernel that neither indicates nor says anything."""
    has = running.cpu.has(ULTRAVISOR_CALL)
    if has is False:
        return False, "the machine has no ultravisor for this system (facility 158 is missing)"
    if not running.ultravisor.present and has is None:
        return None, f"there is no {DIRECTORY}, and the facilities are not known"
    if not running.ultravisor.present:
        return False, f"the kernel can't do it: it has no {DIRECTORY}"
    if running.messages.complete:
        return False, "the kernel's log says nothing of ultravisor storage"
    return None, f"this kernel has no {DIRECTORY}/prot_virt_host"


def _hosting(requirement: ProtVirtRequirement, running: RunningSystem) -> Result:
    hosting, reason = hosts_guests(running)
    if hosting is None:
        return _result(Verdict.UNKNOWN, reason)
    wanted = requirement.hosting is Hosting.ON
    return _result(Verdict.MET if hosting is wanted else Verdict.MISSING, reason)


def _bounce_buffer(requirement: SwiotlbSizeRequirement, running: RunningSystem) -> Result:
    if running.ultravisor.guest is False or not _could_be_guest(running):
        return _result(
            Verdict.MISSING,
            "the system does not run in Secure Execution mode; only there the kernel sets up"
            " bounce buffers",
        )
    blocks = running.bounce_blocks
    if blocks is None and running.messages.bounce_buffer is not None:
        blocks = running.messages.bounce_buffer * _BLOCKS_PER_MIB
    if blocks is None and running.messages.no_buffer:
        return _result(Verdict.MISSING, "the kernel could not allocate the bounce buffer")
    if blocks is None:
        return _result(
            Verdict.UNKNOWN, "neither the kernel's log nor debugfs tells the bounce buffer's size"
        )
    enough = blocks >= requirement.blocks
    if requirement.bound is Bound.EXACTLY:
        # Kernels since 6.0 round the number up, so that what was asked for can be more.
        enough = requirement.blocks <= blocks <= rounded(requirement.blocks, Generation.SINCE_6_0)
    reason = f"the bounce buffer has {size_text(blocks)}"
    return _result(Verdict.MET if enough else Verdict.MISSING, reason)


def _could_be_guest(running: RunningSystem) -> bool:
    return running.ultravisor.present or running.cpu.has(ULTRAVISOR_CALL) is not False


def _result(verdict: Verdict, reason: str) -> Result:
    return Result(Stage.EFFECTIVE, verdict, reason)
