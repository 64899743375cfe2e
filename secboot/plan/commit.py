"""Which program makes the next IPL use what the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.plan.model import Command, PlanWarning

if TYPE_CHECKING:
    from secboot.machine.discovery import Machine
    from secboot.plan.model import FileChange

ZIPL = ("zipl",)


def commands(machine: Machine, files: tuple[FileChange, ...]) -> tuple[Command, ...]:
    """Return the commands that commit the change, or that are due although no file changes.

    The boot record that the next IPL reads is written by zipl alone (zipl(8)); it is stale when
    it is not what zipl would write now, or where that can't be told, when a file that zipl reads
    is younger (`secboot.machine.boot_record`).
    """
    if files:
        return (Command(ZIPL, "the boot record holds the old parameter lines until zipl has run"),)
    stale = machine.boot_record.stale
    return () if stale is None else (Command(ZIPL, stale),)


def commit_warnings(machine: Machine) -> tuple[PlanWarning, ...]:
    """Return what should be known about zipl on this machine."""
    if machine.zipl_version_is_assumed:
        return (
            PlanWarning(
                "zipl-version",
                f"zipl is not installed in {machine.root}; its version is taken to be"
                f" {machine.zipl_version}",
            ),
        )
    return ()
