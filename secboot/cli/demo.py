"""``secboot demo``: a sample machine to try secboot on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secboot.cli import options


def demo(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            autocompletion=options.completed_by("directories"),
            help="A new or empty directory.",
        ),
    ],
) -> int:
    """Write a sample IBM Z machine to try secboot on."""
    from secboot.cli.printing import print_text
    from secboot.demo import write_sample
    from secboot.invocation import Invocation
    from secboot.visible import visible

    written = write_sample(directory)
    into = Invocation(root=str(directory))
    lines = [
        f"Wrote a sample RHEL 9 machine ({len(written)} files) to {directory}. Try:",
        f"  {into.command('show')}",
        f"  {into.command('plan', 'guest')}",
        f"  {into.command('apply', 'host', '--dry-run')}",
    ]
    print_text("".join(f"{visible(line)}\n" for line in lines))
    return 0
