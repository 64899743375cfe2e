"""Make a plan: the requirements of a profile against what was found on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import ParseError, RefusedError
from secboot.formats.zipl_environment import NO_ENVIRONMENT, ZiplEnvironment
from secboot.formats.ziplenv import ZiplenvFile
from secboot.ipl.boot_record import compare
from secboot.layout.model import Inheritance
from secboot.lines.draft import Draft
from secboot.lines.fulfil import fulfil_line
from secboot.lines.limits import require_fits
from secboot.lines.variables import longest_form
from secboot.machine.discovery import ZIPLENV
from secboot.plan.cautions import ABOUT_OTHER_FILES, version_warnings, warnings
from secboot.plan.commit import commands
from secboot.plan.deployments import NOTE, REFUSAL, deployment_steps
from secboot.plan.entries import edited_entry, generated_entry, reason_to_skip
from secboot.plan.files import file_changes
from secboot.plan.later_kernels import kernel_cmdline_warnings, plan_later_kernels
from secboot.plan.model import (
    EntryStatus,
    InputFile,
    Plan,
    PlanWarning,
    ProfileReference,
    Step,
    StorePlan,
    digest,
)
from secboot.plan.sealed import REFUSAL as ONLY_SEALED
from secboot.plan.sealed import ParmfileRequest, plan_rebuild
from secboot.plan.two_stages import (
    plan_grub_default,
    plan_sealed_template,
    stage_note,
    stage_warnings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.layout.model import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.entries import Skip
    from secboot.plan.model import EntryPlan
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry


def make_plan(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    *,
    with_zipl: bool,
    parmfile: ParmfileRequest | None = None,
) -> Plan:
    """Return what it takes to bring every selected boot entry to what the profile requires.

    `with_zipl` says that zipl is going to run here, so what would make it fail is a refusal and
    not only a warning. `parmfile` is where the user wants the parmfile of a rebuilt sealed image.
    Raises ParseError when zipl would refuse the boot files as they are, and RefusedError when the
    plan can't be made; both leave everything as it is.
    """
    layout.require_editable()
    if not layout.sources.generated:
        _require_accepted(machine, with_zipl=with_zipl)
        _require_entries(machine)
    entries = machine.configuration.entries
    record = compare(machine)
    draft = Draft(entries, machine.parmfiles, _environment(machine))
    skips = {entry: reason_to_skip(profile, machine, entry) for entry in entries}
    stores, plans = _lines(profile, machine, layout, draft, skips)
    sealed = tuple(e for e, skip in skips.items() if skip and skip[0] is EntryStatus.SEALED)
    rebuild = plan_rebuild(profile, machine, layout, draft, sealed, parmfile)
    steps = () if rebuild is None else rebuild.steps
    due = _deployment_steps(profile, machine, layout)
    files = file_changes(machine, draft)
    due_commands = commands(profile, machine, layout, record, files)
    refusal = REFUSAL if due else None
    chosen = tuple(entry for entry, skip in skips.items() if skip is None)
    if sealed and not (chosen or files or due_commands or parmfile):
        refusal = ONLY_SEALED
    return Plan(
        profile=profile_reference(profile),
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=plans,
        files=files,
        commands=due_commands,
        warnings=(
            *warnings(profile, machine, plans, with_zipl=with_zipl),
            *_layout_warnings(profile, machine, layout),
            *(() if rebuild is None else rebuild.warnings),
            *version_warnings(machine),
        ),
        inputs=tuple(
            InputFile(file.path, file.real_path, digest(file.data)) for file in machine.files
        ),
        stores=stores,
        steps=(*due, *steps),
        refusal=refusal,
        parmfile=None if rebuild is None else rebuild.parmfile,
    )


def profile_reference(profile: Profile) -> ProfileReference:
    """Return which profile this is."""
    return ProfileReference(
        name=profile.name,
        path=profile.path,
        digest=profile.digest,
        role=profile.role or "",
        description=profile.description,
    )


def _lines(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    draft: Draft,
    skips: Mapping[BootEntry, Skip | None],
) -> tuple[tuple[StorePlan, ...], tuple[EntryPlan, ...]]:
    """Bring the draft to what the profile requires; return what that makes of stores and entries."""
    if layout.sources.generated:
        stores: tuple[StorePlan, ...] = ()
        if layout.inheritance is Inheritance.GRUB_DEFAULT:
            default = plan_grub_default(profile, machine, draft)
            template = plan_sealed_template(profile, machine, draft)
            stores = (default,) if template is None else (default, template)
        return stores, tuple(
            generated_entry(profile, entry, skip, stage_note(entry) if stores else NOTE)
            for entry, skip in skips.items()
        )
    chosen = [entry for entry, skip in skips.items() if skip is None]
    # What a shared parmfile has to hold is settled first: others of its entries may then be met.
    for entry in sorted(chosen, key=lambda e: e.parmfile is None or e.parameters is not None):
        fulfil_line(draft, draft.subject(entry), profile.requirements)
    later = plan_later_kernels(profile, machine, layout, draft)
    plans = tuple(edited_entry(profile, draft, entry, skip) for entry, skip in skips.items())
    for entry, plan in zip(skips, plans, strict=True):
        if plan.status is EntryStatus.CHANGE or plan.line_after != plan.line_before:
            require_fits(entry, longest_form(draft, draft.subject(entry)))
    return (() if later is None else (later,)), plans


def _environment(machine: Machine) -> ZiplEnvironment:
    """Return what zipl would put into the boot record; nothing for one that knows no variables."""
    file = machine.file(ZIPLENV)
    if file is None or not machine.zipl_version.reads_environment:
        return NO_ENVIRONMENT
    document = ZiplenvFile.parse(file.text, file.path)
    if document.problems:
        first = document.problems[0]
        raise ParseError(
            f"zipl would refuse this: {first.message}", location=first.location(file.path)
        )
    return document.environment


def _deployment_steps(profile: Profile, machine: Machine, layout: Layout) -> tuple[Step, ...]:
    if layout.inheritance is not Inheritance.DEPLOYMENT:
        return ()
    return deployment_steps(profile, machine)


def _layout_warnings(profile: Profile, machine: Machine, layout: Layout) -> tuple[PlanWarning, ...]:
    match layout.inheritance:
        case Inheritance.KERNEL_CMDLINE:
            return kernel_cmdline_warnings(machine)
        case Inheritance.GRUB_DEFAULT:
            return stage_warnings(profile, machine)
        case _:
            return ()


def _require_accepted(machine: Machine, *, with_zipl: bool) -> None:
    """Refuse to edit what zipl would refuse to read (all of it: one bad line stops zipl)."""
    problems = machine.configuration.problems
    blocking = [p for p in problems if with_zipl or p.code not in ABOUT_OTHER_FILES]
    if not blocking:
        return
    first, others = blocking[0], len(blocking) - 1
    more = f" (and {others} more)" if others else ""
    raise ParseError(
        f"zipl would refuse this: {first.message}{more}",
        location=first.location,
        hint="nothing was changed; `secboot check` lists every problem",
    )


def _require_entries(machine: Machine) -> None:
    if not machine.configuration.entries:
        raise RefusedError(
            "there is no boot entry: zipl.conf has no section and there are no BLS entries",
            hint="is the right root named, and is /boot mounted there?",
        )
