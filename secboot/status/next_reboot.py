"""The next reboot of the running system: what its re-IPL settings start, and what that line meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.ipl.reboot import Reboot
    from secboot.profile.requirement import Requirement
    from secboot.status.stages import Evidence


class NextReboot(NamedTuple):
    """What a reboot does, and findings about that; None and empty unless this is the running system.

    `boots` is whether it starts anything at all, as far as that is known.
    """

    reboot: Reboot | None = None
    findings: tuple[Finding, ...] = ()
    boots: bool = True

    def keeps_from(self, requirement: Requirement) -> tuple[Finding, ...]:
        """Return why a reboot would not start a kernel with a line that meets the requirement.

        These are causes, not notices; none if a reboot would start one, or if that is unknown.
        """
        if self.reboot is None:
            return ()
        line = self.reboot.line
        fails = line is not None and not requirement.judge(CommandLine.parse(line)).met
        if not fails and self.boots:
            return ()
        return tuple(each._replace(severity=Severity.NOTE) for each in self.findings)


def next_reboot(evidence: Evidence) -> NextReboot:
    """Judge the settings of the running system by the boot record."""
    settings = None if evidence.running is None else evidence.running.reboot_settings
    if settings is None:
        return NextReboot()
    # A tree that is not the running system has no such settings and does not need these modules.
    from secboot.ipl.reboot import Chooses, at_reboot  # noqa: PLC0415
    from secboot.ipl.reboot_advice import Surroundings, reboot_findings  # noqa: PLC0415

    reboot = at_reboot(settings, evidence.next_ipl.choices)
    surroundings = Surroundings.of(evidence.machine, settings.runs_in)
    requirements = () if evidence.profile is None else evidence.profile.requirements
    found = reboot_findings(reboot, requirements, surroundings)
    return NextReboot(reboot, found, reboot.chooses is not Chooses.NOTHING)
