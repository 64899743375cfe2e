"""What the writing verbs work on: the root, the state directory, zipl."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.apply.apply import Target
from secboot.apply.zipl import ZIPL, Zipl
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.system_log import log_change
from secboot.cli.display import NO_DISPLAY
from secboot.cli.planning import environment_of, is_running_system, runs_zipl
from secboot.errors import RefusedError
from secboot.layout.detect import detect_layout
from secboot.system.root import Root
from secboot.system.runner import SystemRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secboot.checkpoint.store import Checkpoint
    from secboot.cli.display import Display


@contextmanager
def open_target(
    root: Path,
    zipl: bool | None,
    state_dir: Path | None,
    zipl_timeout: float,
    layout_name: str | None = None,
    display: Display = NO_DISPLAY,
) -> Iterator[Target]:
    """Open all that a writing verb needs; nothing is written yet.

    `display` shows what is being done. Raises RefusedError when the rights for it are missing from
    the start.
    """
    running = is_running_system(root)
    if running and os.geteuid() != 0:
        raise RefusedError(
            "only root may change the boot files and the boot record of this machine",
            hint="run it with sudo; `secboot plan` and `--dry-run` work without",
        )
    environment = environment_of(root)

    def notice(sentence: str) -> None:
        with display.hidden():
            _notice(sentence)

    with Root(root) as tree:
        state = StateDirectory(tree, state_dir)
        try:
            layout = detect_layout(tree, layout_name)
            yield Target(
                root=tree,
                state=state,
                zipl=Zipl(
                    runner=SystemRunner(),
                    timeout=zipl_timeout,
                    chroot=None if running else str(root.absolute()),
                    environment=environment,
                    programs=tuple(program.argv for program in layout.commit) or (ZIPL,),
                    progress=display,
                )
                if runs_zipl(root, zipl)
                else None,
                layout=layout,
                environment=environment,
                command=("secboot", *sys.argv[1:]),
                notice=notice,
                log=log_change if running else _no_log,
                progress=display,
            )
        finally:
            state.close()


def _notice(sentence: str) -> None:
    print(f"secboot: {sentence}", file=sys.stderr)  # noqa: T201 - the command line talks to people


def _no_log(_checkpoint: Checkpoint) -> None:
    """Keep changes to images out of the log of the machine that builds them."""
