"""The running system's next reboot: what its re-IPL settings add, and what a requirement makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.ipl.reboot import Chooses, Reboot, at_reboot
from secboot.ipl.reboot_advice import Surroundings, reboot_findings
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.profile.requirement import Requirement
    from secboot.status.stages import Evidence


class NextReboot(NamedTuple):
    """What a reboot does, and what should be known of it; None and nothing for another tree."""

    reboot: Reboot | None = None
    findings: tuple[Finding, ...] = ()

    def keeps_from(self, requirement: Requirement) -> tuple[Finding, ...]:
        """Return why a reboot would not start a kernel with a line that meets the requirement.

        They are causes and not notices: nothing where a reboot would, or where that is not known.
        """
        if self.reboot is None:
            return ()
        line = self.reboot.line
        fails = line is not None and not requirement.judge(CommandLine.parse(line)).met
        if not fails and self.reboot.chooses is not Chooses.NOTHING:
            return ()
        return tuple(each._replace(severity=Severity.NOTE) for each in self.findings)


def next_reboot(evidence: Evidence) -> NextReboot:
    """Judge the settings of the running system by the boot record."""
    settings = None if evidence.running is None else evidence.running.reboot_settings
    if settings is None:
        return NextReboot()
    reboot = at_reboot(settings, evidence.next_ipl.choices)
    surroundings = Surroundings.of(evidence.machine, settings.runs_in)
    requirements = () if evidence.profile is None else evidence.profile.requirements
    return NextReboot(reboot, reboot_findings(reboot, requirements, surroundings))
