"""The data of ``secboot status``: stages, verdicts, and what to do about a missing stage."""

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
    """The stages of a requirement, in order."""

    CONFIGURED = "configured"
    """The boot entry's parameter line, read as the kernel reads it, meets the requirement."""
    INHERITED = "inherited"
    """The boot entries of future kernels will meet it, too."""
    INSTALLED = "installed"
    """The boot record, which the next IPL reads, meets it."""
    RUNNING = "running"
    """The running kernel's command line meets it."""
    EFFECTIVE = "effective"
    """The running kernel honours it."""

    @property
    def number(self) -> int:
        """Its place in the order, from 1."""
        return list(Stage).index(self) + 1

    @property
    def of_running_system(self) -> bool:
        """Whether only the running system can have reached it, no other tree."""
        return self in {Stage.RUNNING, Stage.EFFECTIVE}


class Verdict(StrEnum):
    """Whether a stage is reached; UNKNOWN implies neither."""

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
"""The codes of causes that disappear once an earlier stage is reached; others are in the machine."""


class Evidence(NamedTuple):
    """What the stages are judged by. `running` is None for a tree that is not the running system.

    `invocation` is how secboot was called, for the commands in hints. `correction` is the command
    that makes the files match the profile, `leaves` whether a run of zipl takes the system out of
    Secure Execution; `secboot.status.assess` finds both once for all entries.
    """

    machine: Machine
    layout: Layout
    next_ipl: NextIpl
    profile: Profile | None
    running: RunningSystem | None
    invocation: Invocation = PLAIN
    correction: str | None = None
    leaves: bool = False
    trial: TrialStanding | None = None


class Result(NamedTuple):
    """Whether one requirement has reached one stage, and the evidence for that.

    If it has not, `causes` are the likely causes, the most likely first, each with the next step as
    its hint.
    """

    verdict: Verdict
    reason: str
    causes: tuple[Finding, ...] = ()


NOT_RUNNING = Result(Verdict.NOT_APPLICABLE, "not the running system")
"""For the stages that only the running system can reach, of another tree."""

IN_IMAGE = Result(Verdict.NOT_APPLICABLE, "the parameter line is inside the Secure Execution image")
"""For the stages of boot files, of an entry whose line is not in them."""

NOT_CONFIGURED = Result(Verdict.NOT_APPLICABLE, "no zipl configuration")
"""For the stages of boot files, of a machine whose kernel comes from elsewhere."""


NO_ENTRY_YET = Result(Verdict.NOT_APPLICABLE, NO_ENTRY)
"""For the stages of boot entries, of a tree without a kernel."""
BEFORE_KERNEL_NOTE = Finding(BEFORE_KERNEL, Severity.NOTE, NO_ENTRY)


class EntryResults(NamedTuple):
    """A boot entry, with one result for each requirement, in the profile's order.

    `note` says why an entry is left out; then there are no results. `parameters` is its parameter
    line as zipl would install it, `recorded_parameters` its line in the boot record, None if there
    is none or it is unknown.
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
    """One requirement: the stages of the whole machine, for all entries together."""

    name: str
    wanted: str
    stages: Mapping[Stage, Result]


class LineOrigin(NamedTuple):
    """The origin of a line, as one sentence. `of_entry` is whether it contains a known line.

    `replaced` is whether IPL PARM or SCPDATA replaced it.
    """

    description: str
    of_entry: bool
    replaced: bool = False


class Status(NamedTuple):
    """The whole status. `running` is None for a tree that is not the running system.

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
    """The origin of the running line; None if there is no line."""
    reboot: Reboot | None
    """What a reboot will do; None if the running system does not report it."""
    notices: tuple[Finding, ...]
    trial: TrialStanding | None = None
    """A change that is tried for one IPL, and its state."""
