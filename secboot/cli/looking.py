"""Commands that only read drop the privilege to change anything before they do anything else.

A dropped privilege is lost for the whole process, so only a command with a process of its own does
this: a caller of `secboot.cli.main` with arguments, such as a test, keeps its privileges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.cli.state_line import changes_nothing

if TYPE_CHECKING:
    from pathlib import Path


class _Process:
    """The current process; `is_ours` is whether it ends with the command."""

    is_ours = False
    debug = False


def process_is_ours(*, debug: bool) -> None:
    """Declare that the process ends with the command; `debug` reports what cannot be dropped."""
    _Process.is_ours, _Process.debug = True, debug


def only_looks(*outputs: Path | None) -> None:
    """Drop all privileges except to read, and to write the files `outputs` that the user named.

    It never fails: if the kernel or a container refuses, the command goes on with its privileges.
    """
    changes_nothing()
    if not _Process.is_ours:
        return
    from secboot.system.confinement import confine

    refused = confine([str(path) for path in outputs if path is not None])
    if refused and _Process.debug:
        from secboot.cli.printing import print_message

        print_message(f"secboot: privileges not dropped: {'; '.join(refused)}")
