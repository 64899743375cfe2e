"""The stages of a parameter line that is inside a Secure Execution image.

*Configured* is the parmfile that the image is built from, if the profile names it; otherwise that is
unknown. *Installed* is the line inside the image, which can be read unless the image is encrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.profile import EntryScope
from secboot.status.stages import IN_IMAGE, EntryResults, Result, Verdict
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.machine.prepared_image import PreparedImage
    from secboot.profile.requirement import Requirement
    from secboot.status.stages import Evidence

NOT_BOOTED = Result(
    Verdict.NOT_APPLICABLE, "the image is prepared here but booted by another machine"
)


def judge_inside(requirement: Requirement, evidence: Evidence, line: str | None) -> Result:
    """Judge the line inside an image; None if it is unknown."""
    if line is None:
        return IN_IMAGE
    judgement = requirement.judge(CommandLine.parse(line))
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    hint = evidence.invocation.for_profile("plan")
    message = "the Secure Execution image must be rebuilt; the plan shows how"
    cause = Finding("image-line", Severity.NOTE, message, hint=hint)
    return Result(Verdict.MISSING, f"{judgement.reason} (inside the image)", (cause,))


def judge_parmfile(requirement: Requirement, evidence: Evidence, prepared: PreparedImage) -> Result:
    """Judge the parmfile that the next image is built from."""
    path = visible(prepared.paths.parmfile)
    hint = evidence.invocation.for_profile("apply")
    message = "parmfile of the image not yet updated"
    cause = Finding("not-applied", Severity.NOTE, message, hint=hint)
    if prepared.unreadable is not None:
        return Result(Verdict.UNKNOWN, f"{path} cannot be read: {prepared.unreadable}")
    if prepared.parmfile is None:
        return Result(Verdict.MISSING, f"{path} not found", (cause,))
    judgement = requirement.judge(CommandLine.parse(prepared.parmfile.text))
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    return Result(Verdict.MISSING, judgement.reason, (cause,))


def judge_next_image(
    requirement: Requirement, evidence: Evidence, prepared: PreparedImage
) -> Result:
    """Judge what future kernels get: they boot after an image is built from them."""
    found = judge_parmfile(requirement, evidence, prepared)
    what = f"the next image is built from {visible(prepared.paths.parmfile)}"
    if prepared.parmfile is None and prepared.unreadable is None:
        return found._replace(reason=f"{what}, which was not found")
    return found._replace(reason=f"{what}; {found.reason}")


def image_without_entry(evidence: Evidence) -> tuple[EntryResults, ...]:
    """Return the results of the profile's image if no boot entry boots it; otherwise none."""
    prepared, profile = evidence.machine.prepared, evidence.profile
    if prepared is None or profile is None:
        return ()
    if any(map(evidence.machine.is_prepared, evidence.machine.configuration.entries)):
        return ()
    requirements = profile.requirements
    return (
        EntryResults(
            name=prepared.paths.output,
            location=Location(prepared.paths.parmfile),
            menu_position=None,
            default=False,
            rescue=False,
            note="no boot entry boots this Secure Execution image",
            parameters=None if prepared.parmfile is None else prepared.parmfile.text.strip(),
            recorded_parameters=None if prepared.secure is None else prepared.secure.parameters,
            configured=tuple(judge_parmfile(each, evidence, prepared) for each in requirements),
            installed=tuple(_not_booted(each, evidence, prepared) for each in requirements),
        ),
    )


def _not_booted(requirement: Requirement, evidence: Evidence, prepared: PreparedImage) -> Result:
    """Judge the stage *installed* of an image that no boot entry boots."""
    profile, machine = evidence.profile, evidence.machine
    if not machine.configured or (profile and profile.entries.scope is EntryScope.NONE):
        inside = None if prepared.secure is None else prepared.secure.parameters
        return NOT_BOOTED if inside is None else judge_inside(requirement, evidence, inside)
    output = visible(prepared.paths.output)
    if evidence.layout.builds_image:
        return Result(Verdict.NOT_APPLICABLE, "this system builds its image itself")
    if prepared.output.kind is PathKind.MISSING:
        message = "the Secure Execution image must be built; the plan shows how"
        hint = evidence.invocation.for_profile("plan")
        cause = Finding("image-missing", Severity.NOTE, message, hint=hint)
        return Result(Verdict.MISSING, f"{output} does not exist yet", (cause,))
    message = f"no boot entry boots {output}"
    hint = evidence.invocation.for_profile("apply")
    return Result(
        Verdict.MISSING, message, (Finding("no-entry", Severity.NOTE, message, hint=hint),)
    )


def notices(evidence: Evidence) -> Iterator[Finding]:
    """Report an image that was built before its parmfile was changed."""
    prepared = evidence.machine.prepared
    if prepared is None or prepared.secure is None or not prepared.is_older:
        return
    inside = prepared.secure.parameters
    text = "" if prepared.parmfile is None else prepared.parmfile.text
    if inside is None or inside.split() != text.split():
        output, parmfile = visible(prepared.paths.output), visible(prepared.paths.parmfile)
        message = f"{parmfile} was changed after {output} was built: rebuild the image"
        hint = evidence.invocation.for_profile("plan")
        yield Finding("image-not-rebuilt", Severity.WARNING, message, Location(parmfile), hint)
