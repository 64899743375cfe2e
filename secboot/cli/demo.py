"""``secboot demo``: a sample machine to try secboot on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A directory that is empty or does not exist yet.")
    ],
) -> int:
    """Write a sample IBM Z machine into DIR, to try all of this."""
    from secboot.cli.printing import print_text
    from secboot.demo import write_sample

    written = write_sample(directory)
    print_text(
        f"Wrote {len(written)} files of a sample RHEL 9 machine into {directory}. Try:\n"
        f"  secboot show --root {directory}\n"
        f"  secboot plan guest --root {directory}\n"
        f"  secboot apply host --dry-run --root {directory}\n"
    )
    return 0
