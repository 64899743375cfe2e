"""``secboot history``: list what was applied and rolled back; it reads without the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.store import Damage, Listing
    from secboot.cli.site import Site
    from secboot.finding import Finding


def history(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            autocompletion=options.completed_by("checkpoints"),
            help="Checkpoint to show with its changes.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    state_dir: options.StateDir = None,
) -> int:
    """List what was applied and rolled back.

    With an ID, show one checkpoint in full, with the changes that it made.
    """
    from secboot.checkpoint.retention import kept
    from secboot.checkpoint.store import Listing
    from secboot.checkpoint.undo import undone_by
    from secboot.cli.printing import print_report
    from secboot.cli.site import Site
    from secboot.errors import RefusedError
    from secboot.report.history import checkpoint_text, file_diffs, history_document, history_text

    only_looks()
    with Site(root, state_dir=state_dir, watched=False) as site, site.checkpoints() as store:
        if store is None:
            from secboot.machine.zipl_conf_file import require_system

            require_system(site.root)
        if checkpoint is None:
            found = Listing((), ()) if store is None else store.listing()
            trial = _trial(site, found)
            print_report(
                output,
                lambda: history_document(found, kept(site.root), trial),
                lambda style: history_text(found, kept(site.root), trial, style),
            )
            return 0
        if store is None:
            raise RefusedError(
                f"checkpoint '{checkpoint}' not found", hint="nothing has been applied here"
            )
        one = store.get(checkpoint)
        every = store.listing()
        print_report(
            output,
            lambda: history_document(every._replace(damaged=()), kept(site.root), only=one),
            lambda style: checkpoint_text(
                one, file_diffs(store, one), style, undone_by(every.checkpoints)
            ),
        )
    return 0


def _trial(site: Site, listing: Listing) -> tuple[Finding, ...]:
    """Report the state of a trial that was neither confirmed nor dropped, if it can be read."""
    from secboot.checkpoint.undo import standing_trial
    from secboot.errors import SecbootError

    found: list[Checkpoint | Damage] = [*listing.checkpoints, *listing.damaged]
    newest_first = sorted(found, key=lambda each: int(each.id), reverse=True)
    trial = standing_trial(newest_first)
    if trial is None:
        return ()
    try:
        standing = site.trial(site.machine())
    except SecbootError:
        return ()
    return () if standing is None else standing.findings
