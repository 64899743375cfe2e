"""Which programs make the next IPL use what the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance
from secboot.plan.model import Command
from secboot.plan.two_stages import due_commands

if TYPE_CHECKING:
    from secboot.ipl.boot_record import BootRecord
    from secboot.layout.model import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.model import FileChange
    from secboot.profile.profile import Profile


def commands(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    record: BootRecord,
    files: tuple[FileChange, ...],
) -> tuple[Command, ...]:
    """Return the commands that commit the change, or that are due although no file changes.

    The boot record that the next IPL reads is written by zipl alone (zipl(8)); it is stale when
    it is not what zipl would write now, or where that can't be told, when a file that zipl reads
    is younger (`secboot.ipl.boot_record`). A file that only a later kernel's installation
    reads needs no commit.
    """
    if layout.inheritance is Inheritance.GRUB_DEFAULT:
        return due_commands(profile, machine, layout, record, changed=bool(files))
    programs = layout.commit
    if any(layout.needs_commit(change.path) for change in files):
        return tuple(Command(program.argv, program.reason) for program in programs)
    stale = record.stale
    return () if stale is None else tuple(Command(program.argv, stale) for program in programs)
