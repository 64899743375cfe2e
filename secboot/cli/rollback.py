"""``secboot rollback``: put back what an apply changed."""

from __future__ import annotations

from typing import Annotated

import typer

from secboot.cli import options


def rollback(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="The checkpoint to go back behind; by default the newest apply.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also put back files that were changed since.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="End an unfinished change but leave files changed since."),
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Put back the boot files of before an apply, and run zipl."""
    from secboot.apply.rollback import roll_back
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.cli.site import Site
    from secboot.errors import UsageError
    from secboot.report.outcome import done_text, rollback_document, rollback_text

    if force and keep:
        raise UsageError("--force and --keep exclude each other")
    with Site(
        root,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        require_output()
        result = roll_back(site.managed_root(), checkpoint, force=force, keep=keep)
    with reporting(done_text(result), site.invocation.command("history")):
        print_report(
            output,
            lambda: rollback_document(result),
            lambda style: rollback_text(result, site.invocation, style),
        )
    return 0
