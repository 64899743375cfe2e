"""The stage *inherited*: what future kernels get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.status.in_image import judge_next_image
from secboot.status.stages import Result, Verdict

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
    cause = Finding("not-inherited", Severity.NOTE, "future kernels would not get it", hint=hint)
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
