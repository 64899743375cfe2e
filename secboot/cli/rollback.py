"""``secboot rollback``: undo a change and restore the boot files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.apply.rollback_plan import Choices, RollbackPlan
    from secboot.cli.site import Site
    from secboot.report.style import Style


def rollback(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            autocompletion=options.completed_by("checkpoints"),
            help="Checkpoint to undo; by default that of the newest change.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be restored and change nothing."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also restore files that were changed since.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep files that were changed since; restore the others."),
    ] = False,
    leave_new: Annotated[
        bool,
        typer.Option(
            "--leave-new",
            help="Keep boot entries that were added since as they are; by default, parameters that"
            " they inherited from the change are undone, too.",
        ),
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: options.Diff = None,
    ask: options.Ask = False,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Undo an apply: restore the boot files and run zipl.

    Files that were removed since the change stay removed. A rollback is refused if zipl would refuse
    the restored boot files. What will be restored is shown first.
    """
    from secboot.apply.rollback_plan import Choices
    from secboot.apply.rollback_planner import plan_rollback
    from secboot.cli.printing import print_error
    from secboot.cli.site import Site
    from secboot.errors import UsageError

    if force and keep:
        raise UsageError("--force and --keep cannot be combined")
    if dry_run:
        only_looks()
    choices = Choices(force, keep, leave_new)
    with Site(
        root,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        if dry_run:
            plan = plan_rollback(site.managed_root(looks_only=True), checkpoint, choices)
            _print_plan(site, plan, output, diffs=diff)
            if plan.error is None:
                return 0
            # The JSON document has it, too: a failure document is not printed.
            print_error(plan.error)
            return plan.error.exit_code
        return _roll_back(site, checkpoint, choices, output, ask=ask, diffs=diff)


def _roll_back(
    site: Site,
    checkpoint: str | None,
    choices: Choices,
    output: options.Format,
    *,
    ask: bool,
    diffs: bool | None,
) -> int:
    from secboot.apply.rollback import roll_back
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.cli.question import Question
    from secboot.errors import ExitCode
    from secboot.report.outcome import done_text, rollback_document, rollback_text

    def show(plan: RollbackPlan) -> None:
        _print_plan(site, plan, output, diffs=diffs)

    def begin(plan: RollbackPlan) -> None:
        question.require(plan)
        if output == "text" and not ask:
            _print_plan(site, plan, output, diffs=diffs, acting=True)

    question = Question(site, "Roll back?", show, wanted=ask, output=output)
    require_output()
    managed = site.managed_root()
    result = question.answered(
        lambda: roll_back(managed, checkpoint, choices, begin, question.ask if ask else None)
    )
    if result is None:
        return ExitCode.REFUSED
    with reporting(done_text(result), site.invocation.command("history")):
        print_report(
            output,
            lambda: rollback_document(result),
            lambda style: rollback_text(result, site.invocation, style),
        )
    return ExitCode.OK


def _print_plan(
    site: Site,
    plan: RollbackPlan,
    output: options.Format,
    *,
    diffs: bool | None,
    acting: bool = False,
) -> None:
    from secboot.cli.printing import print_report
    from secboot.report.rollback_plan import rollback_plan_document, rollback_plan_text

    def text(style: Style) -> str:
        shown = style.width is None if diffs is None else diffs
        return rollback_plan_text(plan, style, diffs=shown, acting=acting)

    with site.progress.hidden():
        print_report(output, lambda: rollback_plan_document(plan), text)
