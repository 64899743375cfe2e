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
            autocompletion=options.completed_by("checkpoints"),
            help="Checkpoint to undo; by default the newest apply.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also put back files that were changed since.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave files that were changed since; put back the others."),
    ] = False,
    leave_new: Annotated[
        bool,
        typer.Option(
            "--leave-new",
            help="Leave boot entries that were added since; by default, parameters that they"
            " inherited from the change are taken back, too.",
        ),
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Undo an apply: restore the boot files and run zipl.

    Files that were removed since stay away. A rollback after which zipl would refuse the boot files
    is refused.
    """
    from secboot.apply.rollback import Choices, roll_back
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.cli.site import Site
    from secboot.errors import UsageError
    from secboot.report.outcome import done_text, rollback_document, rollback_text

    if force and keep:
        raise UsageError("--force and --keep cannot be combined")
    with Site(
        root,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        require_output()
        result = roll_back(site.managed_root(), checkpoint, Choices(force, keep, leave_new))
    with reporting(done_text(result), site.invocation.command("history")):
        print_report(
            output,
            lambda: rollback_document(result),
            lambda style: rollback_text(result, site.invocation, style),
        )
    return 0
