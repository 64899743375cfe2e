"""``secboot history``: what was applied and rolled back, read without the lock."""

from __future__ import annotations

from typing import Annotated

import typer

from secboot.cli import options


def history(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="Show this one with the changes it made.", show_default=False
        ),
    ] = None,
    root: options.Root = options.HERE,
    output: options.Output = options.Format.TEXT,
    state_dir: options.StateDir = None,
) -> int:
    """Show what was applied and rolled back here.

    With an ID, show all about one checkpoint, with the changes that it made.
    """
    from secboot.cli.printing import print_json, print_text, style
    from secboot.cli.site import Site
    from secboot.errors import RefusedError
    from secboot.report.history import checkpoint_text, file_diffs, history_document, history_text

    with Site(root, state_dir=state_dir, watched=False) as site, site.checkpoints() as store:
        if checkpoint is None:
            found = () if store is None else store.checkpoints()
        elif store is None:
            raise RefusedError(
                f"there is no checkpoint {checkpoint!r}", hint="nothing has been applied here"
            )
        else:
            found = (store.get(checkpoint),)
        if output is options.Format.JSON:
            print_json(history_document(found))
        elif checkpoint is None or store is None:
            print_text(history_text(found, style()))
        else:
            print_text(checkpoint_text(found[0], file_diffs(store, found[0]), style()))
    return 0
