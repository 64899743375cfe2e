"""Warnings about the machine's re-IPL settings, which also affect a reboot after an apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Severity
from secboot.ipl.next_ipl import Choice
from secboot.ipl.reboot import at_reboot
from secboot.ipl.reboot_advice import Surroundings, reboot_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.finding import Finding
    from secboot.formats.zipl_parameters import ZiplEnvironment
    from secboot.ipl.next_ipl import NextIpl
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import EntryPlan
    from secboot.profile.profile import Profile
    from secboot.running.system import RebootSettings


def reboot_warnings(
    profile: Profile,
    machine: Machine,
    plans: Sequence[EntryPlan],
    environment: ZiplEnvironment,
    next_ipl: NextIpl,
    settings: RebootSettings,
) -> tuple[Finding, ...]:
    """Return what a reboot would add or select, according to what zipl will write.

    If another program writes zipl's files, and perhaps its own menu after them, only the current
    entries can be judged; their lines are unknown until that program has run.

    In a plan these are at most warnings, because the plan does not cause them.
    """
    choices = tuple(_choices(machine, plans, environment))
    if machine.sources.generated:
        choices = tuple(choice._replace(line=None) for choice in next_ipl.choices)
    reboot = at_reboot(settings, choices)
    surroundings = Surroundings.of(machine, settings.runs_in)
    return tuple(
        each._replace(severity=Severity.WARNING)
        for each in reboot_findings(reboot, profile.requirements, surroundings)
    )


def _choices(
    machine: Machine, plans: Sequence[EntryPlan], environment: ZiplEnvironment
) -> Iterator[Choice]:
    """Yield what the boot record will contain once zipl has run."""
    lines = {(plan.location.path, plan.location.line): plan.line_after for plan in plans}
    for installed in machine.configuration.to_install:
        entry = installed.entry
        if not installed.skipped:
            yield Choice(
                title=entry.name,
                line=lines.get((entry.path, entry.line)),
                location=entry.location,
                is_default=installed.is_default,
                loadparm=None if installed.position is None else str(installed.position),
                entry=entry,
                environment=environment,
                secure=machine.is_secure(entry),
            )
