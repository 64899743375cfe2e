"""What ``secboot status`` says: stages, verdicts, and what to do about what is missing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.invocation import PLAIN, Invocation
from secboot.kernel.command_line import BOOTED_OTHERWISE
from secboot.machine.zipl_conf_file import NO_ENTRY_YET as NO_ENTRY
from secboot.named_tuple import NamedTuple
from secboot.plan.plan import BEFORE_KERNEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.errors import Location
    from secboot.ipl.next_ipl import NextIpl
    from secboot.ipl.reboot import Reboot
    from secboot.layout.layout import Layout, NewKernel
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import ProfileReference
    from secboot.profile.profile import Profile
    from secboot.running.system import RunningSystem
    from secboot.status.trial import TrialStanding


class Stage(StrEnum):
    """How far a requirement can have got, in order."""

    CONFIGURED = "configured"
    """The boot entry's own text meets it, read as the kernel reads it."""
    INHERITED = "inherited"
    """A kernel that is installed tomorrow will meet it too."""
    INSTALLED = "installed"
    """The boot record, which the next IPL reads, meets it."""
    RUNNING = "running"
    """The running kernel's line meets it."""
    EFFECTIVE = "effective"
    """The running kernel honoured it."""

    @property
    def number(self) -> int:
        """Its place in the order, from 1."""
        return list(Stage).index(self) + 1

    @property
    def of_running_system(self) -> bool:
        """Whether only the running system can have reached it, no other tree."""
        return self in {Stage.RUNNING, Stage.EFFECTIVE}


class Verdict(StrEnum):
    """Whether a stage is reached. Not to know it is no sign of either."""

    MET = "met"
    MISSING = "missing"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


FOLLOW = BOOTED_OTHERWISE | {
    *("not-applied", "not-inherited", "zipl-due", "not-installed", "not-ipled"),
    *("another-entry", "another-line", "reipl-device", "record-unreadable", "installed-unknown"),
    *(
        "line-from-outside",
        "sealed-line",
        "line-replaced",
        "reipl-text",
        "reipl-entry",
        "reipl-no-entry",
    ),
}
"""The codes of causes that are gone once an earlier stage is reached; others lie in the machine."""


class Evidence(NamedTuple):
    """What the stages are judged by. `running` is None for a tree that is not the running system.

    `invocation` is how secboot was called, for the commands that are to be typed next. `correction`
    is the one that makes the files say what the profile asks, `leaves` whether a run of zipl takes the
    system out of Secure Execution; `secboot.status.assess` finds them once for all entries.
    """

    machine: Machine
    layout: Layout
    next_ipl: NextIpl
    profile: Profile | None
    running: RunningSystem | None
    invocation: Invocation = PLAIN
    correction: str | None = None
    leaves: bool = False


class Result(NamedTuple):
    """Whether one requirement has reached one stage, and how that is known.

    `causes` are likely ones where it has not, the likeliest first, each with the next step as its
    hint.
    """

    verdict: Verdict
    reason: str
    causes: tuple[Finding, ...] = ()


NOT_RUNNING = Result(Verdict.NOT_APPLICABLE, "not the running system")
"""At the stages that only the running system can reach, for another tree."""

IN_IMAGE = Result(Verdict.NOT_APPLICABLE, "a Secure Execution image has its parameter line inside")
"""At the stages of boot files, for an entry whose line they do not hold."""

NOT_CONFIGURED = Result(Verdict.NOT_APPLICABLE, "there is no zipl configuration")
"""At the stages of boot files, for a machine whose kernel comes from somewhere else."""


NO_ENTRY_YET = Result(Verdict.NOT_APPLICABLE, NO_ENTRY)
"""At the stages of boot entries, for an image before its kernel."""
BEFORE_KERNEL_NOTE = Finding(BEFORE_KERNEL, Severity.NOTE, NO_ENTRY)


class EntryResults(NamedTuple):
    """A boot entry, with one result for each requirement, in the profile's order.

    `note` says why an entry is left out, in which case there are no results. `parameters` is its
    parameter line as zipl would install it, `recorded_parameters` the one that the boot record
    holds for it, None where there is none or it is not known.
    """

    name: str
    location: Location
    menu_position: int | None
    default: bool
    rescue: bool
    note: str
    parameters: str | None
    recorded_parameters: str | None
    configured: tuple[Result, ...] = ()
    installed: tuple[Result, ...] = ()


class RequirementResults(NamedTuple):
    """One requirement: the stages of the whole machine, the entries' taken together."""

    name: str
    wanted: str
    stages: Mapping[Stage, Result]


class LineOrigin(NamedTuple):
    """How a line came about, as one sentence. `of_entry` is whether a known line is in it.

    `replaced` is whether IPL PARM or SCPDATA stood in its place.
    """

    description: str
    of_entry: bool
    replaced: bool = False


class Status(NamedTuple):
    """All of it. `running` is None for a tree that is not the running system.

    Without a profile there are no requirements, and the entries have no results.
    """

    root: str
    layout: str
    profile: ProfileReference | None
    requirements: tuple[RequirementResults, ...]
    entries: tuple[EntryResults, ...]
    next_ipl: NextIpl
    new_kernel: NewKernel
    running: RunningSystem | None
    origin: LineOrigin | None
    """How the running line came about; None where there is none."""
    reboot: Reboot | None
    """What a reboot is going to do; None where the running system does not tell."""
    notices: tuple[Finding, ...]
    trial: TrialStanding | None = None
    """A change that is tried for one IPL, and where it stands."""
