"""``secboot apply``: apply a profile, or a saved plan, to a machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.apply.apply import ApplyResult
    from secboot.cli.output_file import OutputFile
    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile
    from secboot.report.saved_plan import SavedPlan

PLAN_SUFFIXES = (".json", ".plan")


def apply(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE|FILE",
            autocompletion=options.completed_by("profiles_and_plans"),
            help="Profile name or path, or a plan that `plan --out` saved as *.json or *.plan.",
            show_default=False,
        ),
    ],
    dry_run: options.DryRun = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: options.Diff = None,
    ask: options.Ask = False,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    parmfile: options.Parmfile = None,
    allow_unsealed: options.AllowUnsealed = False,
    trial: options.Trial = False,
    run_kargs: options.RunKargs = False,
) -> int:
    """Apply a profile to this machine.

    zipl checks the new boot files before they take effect, and then writes the boot record. If
    anything fails, everything is restored. `secboot rollback` undoes a change.
    """
    from secboot.cli.site import Site

    require_alone(trial=trial, others=(parmfile is not None, allow_unsealed, run_kargs))
    if dry_run:
        only_looks()
    saved = _saved_plan(profile) if profile.endswith(PLAN_SUFFIXES) else None
    site = Site(
        root,
        profile=profile if saved is None else saved.made_from.reference,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    )
    with site:
        asked = _asked(site, profile, saved, parmfile, allow_unsealed=allow_unsealed, trial=trial)
        return carry_out(asked, output, dry_run=dry_run, diff=diff, ask=ask, run_kargs=run_kargs)


def require_alone(*, trial: bool, others: tuple[bool, ...]) -> None:
    """Raise UsageError for a trial with an option whose effect is not limited to one IPL."""
    from secboot.errors import UsageError

    if trial and any(others):
        raise UsageError(
            "--trial cannot be combined with --parmfile, --allow-unsealed or --run-kargs"
        )


class ApplyRequest:
    """What to apply: the plan of a profile, or its `trial`.

    `agree` raises an error if a plan is not the promised one; for a trial it gets the plan of the
    change that is tried.
    """

    def __init__(
        self,
        site: Site,
        profile: Profile,
        make_plan: Callable[[Machine], Plan],
        parmfile: Path | None,
        *,
        trial: bool,
        agree: Callable[[Plan], None] = lambda _: None,
    ) -> None:
        from secboot.cli.plan import trial_planner

        self.site = site
        self.parmfile = parmfile
        self.plan = trial_planner(site, profile, make_plan, agree) if trial else make_plan
        self.agree: Callable[[Plan], None] = (lambda _: None) if trial else agree


def _asked(
    site: Site,
    reference: str,
    saved: SavedPlan | None,
    parmfile: Path | None,
    *,
    allow_unsealed: bool,
    trial: bool,
) -> ApplyRequest:
    """Return what to apply: a profile, or what a `saved` plan promised."""
    from secboot.cli.plan import options_again, planner
    from secboot.machine.profile_files import read_profile, reread_profile

    if saved is None:
        profile = read_profile(reference, site.root)
        make_plan = planner(site, profile, parmfile, allow_unsealed=allow_unsealed)
        return ApplyRequest(site, profile, make_plan, parmfile, trial=trial)
    again = options_again(parmfile, allow_unsealed=allow_unsealed)
    command = site.invocation.for_profile("plan", "--out", reference, *again)
    profile = reread_profile(saved.made_from.reference, saved.made_from.profile, site.root)
    saved.require_same_profile(profile, command)
    make_plan = planner(site, profile, parmfile, allow_unsealed=allow_unsealed)

    def agree(plan: Plan) -> None:
        saved.require_same(plan, command)

    return ApplyRequest(site, profile, make_plan, parmfile, trial=trial, agree=agree)


def carry_out(
    asked: ApplyRequest,
    output: options.Format,
    *,
    dry_run: bool,
    diff: bool | None,
    ask: bool,
    run_kargs: bool,
) -> int:
    """Show the plan (`dry_run`) or follow it, with `ask` only after a yes. Return the exit code."""
    from secboot.cli.plan import print_plan, with_unfinished_change

    if not dry_run:
        return _change(asked, output, ask=ask, diffs=diff, run_kargs=run_kargs)
    machine = asked.site.machine()
    plan = asked.plan(machine)
    asked.agree(plan)
    shown = with_unfinished_change(asked.site, plan, machine)
    print_plan(shown, output, diffs=diff, runs=asked.site.runs_zipl)
    return 0


def _change(
    asked: ApplyRequest, output: options.Format, *, ask: bool, diffs: bool | None, run_kargs: bool
) -> int:
    """Follow the plan, then report. What can fail in reporting is tried before the change."""
    from contextlib import ExitStack

    from secboot.apply.apply import apply_plan, run_deployment_command
    from secboot.cli.plan import parmfile_at, parmfile_content, print_plan, with_unfinished_change
    from secboot.cli.printing import require_output
    from secboot.cli.question import Question
    from secboot.errors import ExitCode

    site = asked.site
    require_output()

    def show(plan: Plan) -> None:
        print_plan(with_unfinished_change(site, plan), output, diffs=diffs, runs=site.runs_zipl)

    question = Question(site, "Apply this plan?", show, wanted=ask, output=output)
    with ExitStack() as open_files:
        path = asked.parmfile
        file = None if path is None else open_files.enter_context(parmfile_at(path))

        def begin(plan: Plan) -> None:
            plan.require_no_trial()
            question.require(plan)
            if file is not None and path is not None:
                file.prepare(parmfile_content(plan, path))
            if output == "text" and not ask:
                with site.progress.hidden():
                    print_plan(plan, output, diffs=bool(diffs), acting=True)

        def ask_about(plan: Plan) -> None:
            if not managed.has_remains():
                plan.require_no_trial()
            question.ask(plan)

        managed = site.managed_root()
        flow = (managed, asked.plan, asked.agree, begin, ask_about)
        result = question.answered(
            lambda: (run_deployment_command(*flow) if run_kargs else None) or apply_plan(*flow)
        )
        if result is None:
            return ExitCode.REFUSED
        _report(site, result, output, file)
    return ExitCode.OK


def _report(
    site: Site, result: ApplyResult, output: options.Format, parmfile: OutputFile | None
) -> None:
    from secboot.cli.plan import parmfile_content
    from secboot.cli.printing import print_report, print_text, reporting
    from secboot.report.outcome import apply_document, apply_text, done_text

    history = site.invocation.command("history")
    with site.progress.hidden(), reporting(done_text(result), history):
        if parmfile is not None:
            parmfile.commit(parmfile_content(result.plan, parmfile.path))
        print_report(
            output,
            lambda: apply_document(result),
            lambda style: apply_text(result, site.invocation, style),
        )
        # secboot refuses to change boot files that ostree owns: this change was made by its command.
        if result.plan.refusal is not None and output == "text":
            print_text("The change is in a new deployment. Undo with: rpm-ostree rollback\n")


def _saved_plan(path: str) -> SavedPlan:
    from secboot.report.saved_plan import LIMIT, read_saved_plan
    from secboot.system.trusted import read_trusted
    from secboot.visible import visible

    return read_saved_plan(read_trusted(path, LIMIT), visible(path))
