"""A plan: frozen data that describes what would change, why, and which commands commit it.

A plan is made from a profile and from what was found on the machine. It can be printed, saved,
and applied later; `Plan.inputs` has the digests of the files that it was made from, so later
changes are detected.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding
from secboot.lines.changes import Command, ParameterAction, ParameterChange, Step, StorePlan
from secboot.named_tuple import NamedTuple
from secboot.system.files import FileChange

if TYPE_CHECKING:
    from secboot.profile.profile import Profile, ProfileText


TRIAL_STANDS = "trial-stands"
"""The code of a warning about a boot entry that tries a change."""


BEFORE_KERNEL = "before-kernel"
"""The code of the finding about a tree that has neither a boot entry nor a kernel yet."""


class EntryStatus(StrEnum):
    """What a plan does to one boot entry."""

    ADD = "add"
    REMOVE = "remove"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    NOT_SELECTED = "not-selected"
    NOT_LINUX = "not-linux"
    SEALED = "sealed"
    GENERATED = "generated"
    """Written by another program from a store; it changes when that program runs."""


class ProfileReference(NamedTuple):
    """Which profile a plan was made from; `digest` is the SHA-256 of its text."""

    name: str
    path: str
    digest: str
    role: str
    description: str

    @classmethod
    def of(cls, profile: Profile) -> ProfileReference:
        """Return which profile this is."""
        return cls(
            name=profile.name,
            path=profile.path,
            digest=profile.digest,
            role=profile.role or "",
            description=profile.description,
        )


class EntryPlan(NamedTuple):
    """What happens to one boot entry; its lines are parameter lines as zipl would install them."""

    name: str
    location: Location
    kind: str
    status: EntryStatus
    note: str
    default: bool
    rescue: bool
    parameters: tuple[ParameterChange, ...]
    line_before: str | None
    line_after: str | None


class InputFile(NamedTuple):
    """A file that the plan was made from, with the SHA-256 of its content."""

    path: str
    real_path: str
    digest: str


class ParmfileRequest(NamedTuple):
    """The file that the user wants as the parmfile; `text` is its content, None if it is new."""

    path: str
    text: str | None


class TrialPlan(NamedTuple):
    """What a plan tries for one IPL, in addition to the boot entry that it adds.

    `entry` is the name of that entry, `number` its number in the boot menu, `line` its parameter line.
    It is a copy of the entry `default`, whose line is `default_line`. `setting` is the path of the
    re-IPL setting that selects the new entry, with its values `before` and `after`; None if the tree
    is not the running system. `back` are commands that make a reboot start the default again, without
    secboot. `profile` is the text of the tried profile, which applies to all that it selects once the
    trial is confirmed.
    """

    entry: str
    number: int
    line: str
    default: str
    default_line: str
    setting: str | None
    before: str
    after: str
    back: tuple[str, ...]
    profile: ProfileText


class Confirmation(NamedTuple):
    """How a plan ends a running trial: `checkpoint` is its id, `entry` the entry to remove.

    `setting` is the path of the re-IPL setting that selects the entry, which gets the value `after`;
    None if no setting selects it.
    """

    checkpoint: str
    entry: str
    setting: str | None = None
    before: str = ""
    after: str = ""


class NotApplicableError(RefusedError):
    """A plan that secboot must not follow; `findings` are about a guest in Secure Execution."""

    def __init__(self, message: str, *, hint: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class Plan(NamedTuple):
    """What would change, and what that was derived from; without a profile, a first configuration."""

    profile: ProfileReference | None
    root: str
    layout: str
    zipl_version: str
    entries: tuple[EntryPlan, ...]
    files: tuple[FileChange, ...]
    commands: tuple[Command, ...]
    warnings: tuple[Finding, ...]
    inputs: tuple[InputFile, ...]
    stores: tuple[StorePlan, ...] = ()
    steps: tuple[Step, ...] = ()
    refusal: str | None = None
    """Why secboot cannot apply the profile to this machine; then `steps` say how to do it."""
    parmfile: str | None = None
    """The parmfile for a rebuild of the Secure Execution images; None if there are none."""
    image_due: str | None = None
    """Why the profile's Secure Execution image must be built; None if it need not be."""
    trial: TrialPlan | None = None
    """What is tried for one IPL; None for a permanent change."""
    confirms: Confirmation | None = None
    """The trial that this plan makes permanent, if any."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write and nothing to run."""
        return not self.files and not self.commands

    @property
    def before_kernel(self) -> bool:
        """Whether this is about what future kernels inherit, because there is no kernel yet."""
        return any(warning.code == BEFORE_KERNEL for warning in self.warnings)

    @property
    def differs(self) -> bool:
        """Whether the machine does not match the profile, as far as that is known.

        Whether an encrypted image was built with the right parameters is visible only in the guest
        that runs it.
        """
        images = self.with_status(EntryStatus.SEALED)
        wrong = any(p.action is not ParameterAction.KEEP for e in images for p in e.parameters)
        refused = self.refusal is not None and not images
        return not self.is_empty or refused or wrong or self.image_due is not None

    def require_applicable(self) -> None:
        """Raise NotApplicableError if another program must make the change, or zipl must not run.

        Its hint says what to do, and first why: for example, that an image is outdated.
        """
        if self.refusal is None:
            return
        from secboot.ipl.secure_execution import (  # noqa: PLC0415 - where something is wrong
            OF_THE_SECURE_GUEST,
        )

        found = tuple(each for each in self.warnings if each.code in OF_THE_SECURE_GUEST)
        lines = [_said(each) for each in found]
        lines += [
            line
            for step in self.steps
            for line in (f"{step.title}:", *(f"  {each}" for each in step.lines))
        ]
        raise NotApplicableError(self.refusal, hint="\n".join(lines), findings=found)

    def require_no_trial(self) -> None:
        """Raise RefusedError if this would change files during a trial."""
        found = next((each for each in self.warnings if each.code == TRIAL_STANDS), None)
        if found is not None and self.files:
            raise RefusedError(
                "nothing else can be applied during a trial",
                location=found.location,
                hint=found.hint,
            )

    def with_status(self, status: EntryStatus) -> tuple[EntryPlan, ...]:
        """Return the boot entries with this status."""
        return tuple(entry for entry in self.entries if entry.status is status)


def _said(finding: Finding) -> str:
    place = "" if finding.location is None else f"{finding.location}: "
    return f"{place}{finding.severity}: {finding.message}"
