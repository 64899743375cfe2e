"""Whether the file system of the boot files is mounted: in a rescue system /boot is easily forgotten.

A file that was removed since a change stays removed when the change is rolled back. While /boot is not
mounted, all its files look removed. If the change were then recorded as rolled back, its boot files would
stay for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.recovery import unfinished_change
from secboot.errors import RefusedError
from secboot.finding import Finding, Severity
from secboot.system.root import split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.checkpoint.access import Access
    from secboot.invocation import Invocation
    from secboot.machine.discovery import Machine
    from secboot.system.root import Root


def lacks_entries(machine: Machine | None, gone: Iterable[str]) -> bool:
    """Whether files are missing, and every boot entry with them."""
    return any(gone) and machine is not None and not machine.configuration.entries


def lacks_directories(root: Root, gone: Iterable[str]) -> bool:
    """Whether files are missing, and the directory of one of them."""
    return any(root.stat(split(path)[0]) is None for path in gone)


def not_mounted(invocation: Invocation, checkpoint: str) -> Finding:
    """Return why this checkpoint is not rolled back, and how to do it."""
    command = invocation.command
    return Finding(
        "not-mounted",
        Severity.ERROR,
        f"boot files of checkpoint {checkpoint} are missing: is /boot mounted?",
        None,
        f"mount it, then run: {command('rollback', checkpoint)}\n"
        f"if the files were removed on purpose: {command('rollback', checkpoint, '--keep')}",
    )


def require_mounted(root: Root, access: Access) -> None:
    """Raise RefusedError if an interrupted change would be rolled back without its directories."""
    found = unfinished_change(access)
    if found is not None and lacks_directories(root, found.way.gone):
        refusal = not_mounted(access.invocation, found.checkpoint.id)
        raise RefusedError(refusal.message, hint=refusal.hint)
