"""Which requirements of the active profile a change of single parameters breaks."""

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
    """Yield a warning for each requirement of the active profile that the plan's changes break.

    Requirements that were not met before are reported by `plan` and `status`.
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
                f"the profile '{active.name}' stays active and requires"
                f" {requirement.describe()}: `secboot keep` and the hooks for new kernels will"
                " restore that",
                requirement.location,
                hint="change that profile, or apply a different one:"
                f" {invocation._replace(profile=None, words=()).for_profile('apply')}",
            )


def _texts(requirement: Requirement, line: CommandLine) -> list[str]:
    return [each.text for each in requirement.occurrences(line)]


def _changes(plan: Plan, active: Profile) -> Iterator[tuple[CommandLine, CommandLine]]:
    """Yield the changed lines to which the active profile applies, before and after."""
    for entry in plan.with_status(EntryStatus.CHANGE):
        if active.entries.judge(entry.name, is_default=entry.default, is_rescue=entry.rescue):
            yield (
                CommandLine.parse(entry.line_before or ""),
                CommandLine.parse(entry.line_after or ""),
            )
    for store in plan.stores:
        if store.line_before is not None and store.line_after is not None:
            yield CommandLine.parse(store.line_before), CommandLine.parse(store.line_after)
