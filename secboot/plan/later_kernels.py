"""What a kernel that is installed later gets, and how that is brought to what a profile requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.kernel_install_cmdline import KernelInstallCmdline
from secboot.layout.bls import KERNEL_CMDLINE
from secboot.layout.model import Inheritance
from secboot.layout.new_kernel import taken_over
from secboot.lines.draft import Store, StoreKind, Subject
from secboot.lines.fulfil import fulfil_line
from secboot.lines.limits import ASSUMED_LIMIT, LengthLimit, require_length
from secboot.plan.entries import edited_store, meets
from secboot.plan.model import PlanWarning, StorePlan, StoreStatus

if TYPE_CHECKING:
    from secboot.layout.model import Layout
    from secboot.lines.draft import Draft
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

NAME = "Kernels installed later"
_COMMENTS = (
    f"{KERNEL_CMDLINE} has nothing but comments, which no program that reads it knows: their words"
    " become the parameters of a new kernel, which then has no root file system"
)
STORE = Store(StoreKind.KERNEL_CMDLINE, KERNEL_CMDLINE)


def plan_later_kernels(
    profile: Profile, machine: Machine, layout: Layout, draft: Draft
) -> StorePlan | None:
    """Return what becomes of later kernels' parameters, editing the draft; None if not known.

    To be called when the draft holds what the boot entries will be.
    """
    match layout.inheritance:
        case Inheritance.KERNEL_CMDLINE:
            return _kernel_cmdline(profile, machine, draft)
        case Inheritance.DEFAULT_SECTION:
            return _default_section(profile, machine, draft)
        case Inheritance.SAME_SECTION:
            note = "a new kernel is booted by the sections that are there, through the same names"
            return _following(profile, machine, draft, note)
        case _:
            return None


def kernel_cmdline_warnings(machine: Machine) -> tuple[PlanWarning, ...]:
    """Return what is wrong with /etc/kernel/cmdline, whether or not it has to change."""
    file = machine.file(KERNEL_CMDLINE)
    if file is None:
        return ()
    document = KernelInstallCmdline.parse(file.text, file.path)
    return tuple(
        PlanWarning(problem.code, problem.message, problem.location(file.path))
        for problem in document.problems
    )


def _kernel_cmdline(profile: Profile, machine: Machine, draft: Draft) -> StorePlan:
    file = machine.file(KERNEL_CMDLINE)
    document = KernelInstallCmdline.parse("" if file is None else file.text)
    if not document.words:
        if document.render().split():
            return StorePlan(NAME, Location(KERNEL_CMDLINE), StoreStatus.NONE, _COMMENTS, met=False)
        return _running_line(profile, machine, "missing" if file is None else "empty")
    location = Location(KERNEL_CMDLINE, document.line)
    draft.add(STORE, document.words)
    before = CommandLine.parse(document.words)
    if profile.entries.include:
        note = "the profile names its boot entries, and a new kernel's is none of them"
        met = meets(profile, before)
        line = document.words
        return StorePlan(NAME, location, StoreStatus.NOT_SELECTED, note, met, (), line, line)
    subject = Subject(NAME, location, (STORE,), lambda: draft.text(STORE) or "")
    fulfil_line(draft, subject, profile.requirements)
    after = CommandLine.parse(subject.joined())
    if after.text != before.text:
        document.with_words(after.text)
        limit = LengthLimit(ASSUMED_LIMIT, 0)
        require_length(NAME, location, limit, " ".join(after.text.split()))
    return edited_store(profile, NAME, location, before, after)


def _running_line(profile: Profile, machine: Machine, what: str) -> StorePlan:
    """Say what it means that a new kernel takes the line of whatever system installs it."""
    note = (
        f"{KERNEL_CMDLINE} is {what}: a new kernel takes over the line of the system that installs"
        " it (/proc/cmdline)"
    )
    if machine.running_line is None:
        note += ", which in an image build is the build host's"
        return StorePlan(NAME, None, StoreStatus.NONE, note, None)
    kept = taken_over(machine.running_line)
    failed = [r for r in profile.requirements if not r.judge(kept).met]
    note += "; today's " + (
        f"does not meet the profile: {failed[0].judge(kept).reason}"
        if failed
        else "meets the profile"
    )
    return StorePlan(NAME, None, StoreStatus.NONE, note, not failed, (), kept.text, kept.text)


def _default_section(profile: Profile, machine: Machine, draft: Draft) -> StorePlan:
    default = machine.configuration.default
    name = "the default section" if default is None else f"the default section '{default.name}'"
    return _following(
        profile, machine, draft, f"a new kernel gets a copy of {name} (new-kernel-pkg, grubby)"
    )


def _following(profile: Profile, machine: Machine, draft: Draft, note: str) -> StorePlan:
    """Tell whether the default entry, which new kernels follow, will meet the profile."""
    default = machine.configuration.default
    if default is None or machine.is_sealed(default):
        return StorePlan(NAME, None, StoreStatus.NONE, note, None)
    line = draft.environment.expand(draft.line_planned(default) or "")
    met = meets(profile, CommandLine.parse(line))
    if not met:
        note += "; that one does not meet the profile, which leaves it alone"
    return StorePlan(NAME, default.location, StoreStatus.NONE, note, met)
