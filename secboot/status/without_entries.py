"""A running system whose line comes from no known boot entry.

A Secure Execution image has its line inside. A KVM guest can be started without an IPL: QEMU loads
the kernel itself (``-kernel``, libvirt's <kernel> and <cmdline>), and the kernel gets no IPL
parameter block (QEMU, hw/s390x/ipl.c), so that /sys/firmware/ipl/ipl_type is ``unknown``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.running.system import Level
from secboot.status.stages import Evidence, LineOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.running.system import RunningSystem

_IN_IMAGE = "it is the line inside the Secure Execution image"
_DIRECT = "the kernel was not IPLed: the hypervisor loaded it and passed it this line"


def has_no_entries(evidence: Evidence, running: RunningSystem) -> bool:
    """Whether the running line cannot come from the boot files.

    Boot files can exist for another way to start the system, as in a disk image that has them.
    """
    if _was_loaded_by_hypervisor(running):
        return True
    if running.ultravisor.prot_virt_guest:
        return not any(
            choice.secure and choice.line is not None for choice in evidence.next_ipl.choices
        ) and not list(entries_of_first_stage(evidence))
    return not evidence.machine.configured and not evidence.next_ipl.choices


def entries_of_first_stage(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The entries, with their lines, that a Secure Execution image starts as a first stage."""
    for state in evidence.next_ipl.entries:
        line = state.configured if state.generated is None else state.generated
        if state.secure and state.entry is None and line is not None:
            yield f"'{state.name}' in {state.location.path}", line


def origin_without_entries(running: RunningSystem) -> LineOrigin:
    """Return the origin of such a line, as far as it is known."""
    if running.ultravisor.prot_virt_guest:
        return LineOrigin(_IN_IMAGE, of_entry=False)
    if _was_loaded_by_hypervisor(running):
        return LineOrigin(_DIRECT, of_entry=False)
    return LineOrigin("it matches no boot entry", of_entry=False)


def cause_without_entries(evidence: Evidence, running: RunningSystem) -> Finding:
    """Return why such a line does not meet a requirement, and what to do."""
    if running.ultravisor.prot_virt_guest:
        message = "the line is inside the Secure Execution image, which must be rebuilt"
        hint = "rebuild the image with the right parmfile (genprotimg --parmfile), then boot it"
        if evidence.machine.configured:
            message += "; the plan shows how"
            hint = evidence.invocation.for_profile("plan")
        return Finding("sealed-line", Severity.NOTE, message, hint=hint)
    if _was_loaded_by_hypervisor(running):
        hint = "on the host, add it to <cmdline> in the domain XML (virsh edit GUEST) or to -append"
        return Finding("line-from-outside", Severity.NOTE, _DIRECT, hint=hint)
    message = "the line comes from whatever started the system, not from a known boot entry"
    return Finding("line-from-outside", Severity.NOTE, message)


def _was_loaded_by_hypervisor(running: RunningSystem) -> bool:
    no_ipl = running.ipl is not None and running.ipl.type == "unknown"
    return no_ipl and running.hardware.runs_in is Level.KVM
