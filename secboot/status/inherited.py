"""The stage *inherited*: what future kernels get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import KERNEL_CMDLINE, CommandLine
from secboot.status.in_image import judge_next_image
from secboot.status.stages import Result, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.layout.layout import NewKernel
    from secboot.profile.requirement import Requirement
    from secboot.status.stages import Evidence


def judge_inherited(requirement: Requirement, new: NewKernel, evidence: Evidence) -> Result:
    """Judge what future kernels get.

    If the profile names an image, that is what the next image is built from.
    """
    if evidence.machine.prepared is not None:
        return judge_next_image(requirement, evidence, evidence.machine.prepared)
    default = next((each for each in evidence.next_ipl.entries if each.is_default), None)
    if default is not None and default.image is not None:
        image = f"the Secure Execution image {default.image}"
        reason = f"a new kernel boots only after {image} is rebuilt"
        return Result(Verdict.NOT_APPLICABLE, reason)
    return _by_new_kernel(requirement, new, evidence)


def _by_new_kernel(requirement: Requirement, new: NewKernel, evidence: Evidence) -> Result:
    typed = evidence.invocation.of_programs(new.repairs) if new.repairs else None
    hint = typed or new.remedy or evidence.correction
    message = "future kernels would not get it"
    left_out = None if typed or new.remedy else _left_out(new, evidence)
    if left_out is not None:
        message, hint = f"{message}, since {left_out[0]}", left_out[1]
    cause = Finding("not-inherited", Severity.NOTE, message, hint=hint)
    if new.obstacle is not None:
        return Result(Verdict.MISSING, new.obstacle, (cause,))
    if new.line is None:
        return Result(Verdict.UNKNOWN, new.description)
    judgement = requirement.judge(CommandLine.parse(new.line))
    reason = f"{new.description}; {judgement.reason}"
    if not judgement.met:
        return Result(Verdict.MISSING, reason, (cause,))
    if new.doubt is not None:
        return Result(Verdict.UNKNOWN, f"{reason}; but {new.doubt}")
    return Result(Verdict.MET, reason)


def _left_out(new: NewKernel, evidence: Evidence) -> tuple[str, str] | None:
    """Return why an apply leaves alone what future kernels get, and what to do; None if it does not."""
    profile, at = evidence.profile, new.location
    if profile is None or at is None:
        return None
    for entry in evidence.machine.configuration.entries:
        if (entry.path, entry.line) == (at.path, at.line):
            is_selected = profile.entries.judge(
                entry.name, is_default=entry.is_default, is_rescue=entry.is_rescue
            )
            name = f"'{visible(entry.name)}'"
            why = f"they boot as {name}, to which the profile does not apply"
            return None if is_selected else (why, f"select {name} below `entries` in the profile")
    if profile.entries.include and at.path == KERNEL_CMDLINE:
        hint = f"write it to {KERNEL_CMDLINE}, or remove `include` from the profile"
        return "the profile names its boot entries", hint
    return None
