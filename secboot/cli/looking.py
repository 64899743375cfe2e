"""What a command that only looks does before all else: give up the right to change anything.

A right that is given up is gone for the process, so only the command of a process of its own does:
who calls `secboot.cli.main` with words, as tests do, keeps its rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class _Process:
    """The process that runs; `is_ours` is whether it ends with the command."""

    is_ours = False
    debug = False


def process_is_ours(*, debug: bool) -> None:
    """Say that the process ends with the command; with `debug` what can't be given up is told."""
    _Process.is_ours, _Process.debug = True, debug


def only_looks(*outputs: Path | None) -> None:
    """Give up all rights but to read, and to write the files `outputs` that the user named.

    It never fails: a kernel or a container that refuses this is done without.
    """
    if not _Process.is_ours:
        return
    from secboot.system.confinement import confine

    refused = confine([str(path) for path in outputs if path is not None])
    if refused and _Process.debug:
        from secboot.cli.printing import print_message

        print_message(f"secboot: not given up: {'; '.join(refused)}")
