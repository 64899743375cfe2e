"""What a change of single parameters takes from the active profile, which stays active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.plan.plan import EntryStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.invocation import Invocation
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement


def contradictions(plan: Plan, active: Profile, invocation: Invocation) -> Iterator[Finding]:
    """Yield a warning for each requirement of the active profile against which the plan changes a line.

    Whatever else the profile lacks is for `plan` and `status`.
    """
    changes = list(_changes(plan, active))
    for requirement in active.requirements:
        if any(
            _texts(requirement, before) != _texts(requirement, after)
            and not requirement.judge(after).met
            for before, after in changes
        ):
            yield Finding(
                "active-profile-unmet",
                Severity.WARNING,
                f"the profile '{active.name}', which stays active, requires"
                f" {requirement.describe()}: `secboot keep` and the hooks for new kernels bring"
                " that back",
                requirement.location,
                hint="change that profile, or apply another one:"
                f" {invocation._replace(profile=None, words=()).for_profile('apply')}",
            )


def _texts(requirement: Requirement, line: CommandLine) -> list[str]:
    return [each.text for each in requirement.occurrences(line)]


def _changes(plan: Plan, active: Profile) -> Iterator[tuple[CommandLine, CommandLine]]:
    """Yield the lines that are changed and that the active profile is for."""
    for entry in plan.with_status(EntryStatus.CHANGE):
        if active.entries.judge(entry.name, is_default=entry.default, is_rescue=entry.rescue):
            yield (
                CommandLine.parse(entry.line_before or ""),
                CommandLine.parse(entry.line_after or ""),
            )
    for store in plan.stores:
        if store.line_before is not None and store.line_after is not None:
            yield CommandLine.parse(store.line_before), CommandLine.parse(store.line_after)
