"""The verbs that change a machine, and the one that tells what was changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli.options import (
    DEFAULT_ROOT,
    DEFAULT_TIMEOUT,
    LayoutOption,
    Output,
    OutputOption,
    ParmfileOption,
    RootOption,
    StateOption,
    TimeoutOption,
    ZiplOption,
)

if TYPE_CHECKING:
    from secboot.plan.model import Plan

PLAN_SUFFIXES = (".json", ".plan")


def apply(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE|FILE",
            help="A profile's name or path, or a plan that was saved with `plan --out` as"
            " *.json or *.plan.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan; write nothing at all.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    diff: Annotated[
        bool | None,
        typer.Option(
            "--diff/--no-diff",
            help="Show what changes in each file, line by line; by default with --dry-run only.",
            show_default=False,
        ),
    ] = None,
    zipl: ZiplOption = None,
    state_dir: StateOption = None,
    zipl_timeout: TimeoutOption = DEFAULT_TIMEOUT,
    layout: LayoutOption = None,
    parmfile: ParmfileOption = None,
    run_kargs: Annotated[
        bool,
        typer.Option(
            "--run-kargs",
            help="On an ostree system, run the `rpm-ostree kargs` command that the plan shows.",
        ),
    ] = False,
) -> int:
    """Make the machine what the profile asks for.

    zipl checks the new boot files before they count, and writes the boot record afterwards. If
    anything fails, everything is put back. `secboot rollback` undoes a change.
    """
    from secboot.apply.apply import apply_plan
    from secboot.apply.deployment import run_deployment_command
    from secboot.cli.planning import machine_plan, plan_for
    from secboot.cli.printing import (
        load_plan,
        print_json,
        print_plan,
        print_text,
        save_parmfile,
        style,
    )
    from secboot.cli.progress import progress_shown
    from secboot.cli.target import open_target
    from secboot.report.outcome import apply_document, apply_text

    saved = load_plan(Path(profile)) if profile.endswith(PLAN_SUFFIXES) else None
    if dry_run:
        with progress_shown(wanted=output is Output.TEXT) as display:
            plan = saved or plan_for(profile, root, zipl, state_dir, layout, parmfile, display)
        print_plan(plan, output, diffs=diff is not False)
        return 0
    with (
        progress_shown(wanted=output is Output.TEXT) as display,
        open_target(root, zipl, state_dir, zipl_timeout, layout, display) as target,
    ):
        make = machine_plan(
            profile, target.root, target.layout, root, zipl, saved, parmfile, display
        )

        def shown(plan: Plan) -> None:
            if output is Output.TEXT:
                with display.hidden():
                    print_plan(plan, output, diffs=bool(diff))

        deployed = run_deployment_command(target, make, shown) if run_kargs else None
        result = deployed or apply_plan(target, make, saved, shown)
    if parmfile is not None:
        save_parmfile(result.plan, parmfile)
    if output is Output.JSON:
        print_json(apply_document(result))
    else:
        moved = None if state_dir is None else str(state_dir)
        print_text(apply_text(result, str(root), moved, style()))
        if deployed is not None:
            print_text("It is in a new deployment. Undo with: rpm-ostree rollback\n")
    return 0


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
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    zipl: ZiplOption = None,
    state_dir: StateOption = None,
    zipl_timeout: TimeoutOption = DEFAULT_TIMEOUT,
    layout: LayoutOption = None,
) -> int:
    """Put back the boot files of before an apply, and run zipl."""
    from secboot.apply.rollback import roll_back
    from secboot.cli.printing import print_json, print_text, style
    from secboot.cli.progress import progress_shown
    from secboot.cli.target import open_target
    from secboot.errors import UsageError
    from secboot.report.outcome import rollback_document, rollback_text

    if force and keep:
        raise UsageError("--force and --keep exclude each other")
    with (
        progress_shown(wanted=output is Output.TEXT) as display,
        open_target(root, zipl, state_dir, zipl_timeout, layout, display) as target,
    ):
        result = roll_back(target, checkpoint, force=force, keep=keep)
    if output is Output.JSON:
        print_json(rollback_document(result))
    else:
        print_text(rollback_text(result, str(root), style()))
    return 0


def history(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="Show this one with the changes it made.", show_default=False
        ),
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    state_dir: StateOption = None,
) -> int:
    """Show what was applied and rolled back here.

    With an ID, show all about one checkpoint, with the changes that it made.
    """
    from secboot.cli.past import read_checkpoints, read_diffs
    from secboot.cli.printing import print_json, print_text, style
    from secboot.report.history import checkpoint_text, history_document, history_text

    found = read_checkpoints(root, state_dir, checkpoint)
    if output is Output.JSON:
        print_json(history_document(found))
    elif checkpoint is None:
        print_text(history_text(found, style()))
    else:
        print_text(checkpoint_text(found[0], read_diffs(root, state_dir, found[0]), style()))
    return 0
