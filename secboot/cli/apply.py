"""``secboot apply``: make the machine what a profile, or a plan that was saved, asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options

if TYPE_CHECKING:
    from secboot.cli.site import Site
    from secboot.plan.plan import Plan
    from secboot.report.saved_plan import SavedPlan

PLAN_SUFFIXES = (".json", ".plan")


def apply(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE|FILE",
            autocompletion=options.completed_by("profiles_and_plans"),
            help="A profile's name or path, or a plan that was saved with `plan --out` as"
            " *.json or *.plan.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan; write nothing at all.")
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: Annotated[
        bool | None,
        typer.Option(
            "--diff/--no-diff",
            help="Show what changes in each file, line by line; by default with --dry-run only.",
            show_default=False,
        ),
    ] = None,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    parmfile: options.Parmfile = None,
    allow_unsealed: options.AllowUnsealed = False,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial",
            help="Try it for one IPL: in a boot entry of its own, which the next reboot starts once."
            " `secboot confirm` makes it permanent after that, `secboot rollback` drops it.",
        ),
    ] = False,
    run_kargs: Annotated[
        bool,
        typer.Option(
            "--run-kargs",
            help="On an ostree system, run the command that the plan shows (rpm-ostree or bootc).",
        ),
    ] = False,
) -> int:
    """Make the machine what the profile asks for.

    zipl checks the new boot files before they count, and writes the boot record afterwards. If
    anything fails, everything is put back. `secboot rollback` undoes a change.
    """
    from secboot.cli.plan import print_plan, with_unfinished_change
    from secboot.cli.site import Site
    from secboot.errors import UsageError

    if trial and (parmfile is not None or allow_unsealed or run_kargs):
        raise UsageError(
            "--trial can't be combined with --parmfile, --allow-unsealed or --run-kargs"
        )
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
        asked = _Asked(site, profile, saved, parmfile, allow_unsealed=allow_unsealed, trial=trial)
        if dry_run:
            machine = site.machine()
            plan = asked.plan(machine)
            asked.agree(plan)
            print_plan(with_unfinished_change(site, plan, machine), output, diffs=diff is not False)
            return 0
        _change(asked, output, diffs=bool(diff), run_kargs=run_kargs)
    return 0


class _Asked:
    """What is to be applied: a profile, or what was promised in a `saved` plan."""

    def __init__(
        self,
        site: Site,
        reference: str,
        saved: SavedPlan | None,
        parmfile: Path | None,
        *,
        allow_unsealed: bool,
        trial: bool = False,
    ) -> None:
        from secboot.cli.plan import planner, trial_planner
        from secboot.machine.profile_files import read_profile, reread_profile

        self.site = site
        self.parmfile = parmfile
        self._saved = saved
        again = ["--out", reference]
        again += [] if parmfile is None else ["--parmfile", str(parmfile)]
        again += ["--allow-unsealed"] if allow_unsealed else []
        self._again = site.invocation.for_profile("plan", *again)
        if saved is None:
            profile = read_profile(reference, site.root)
        else:
            profile = reread_profile(saved.made_from.reference, saved.made_from.profile, site.root)
            saved.require_same_profile(profile, self._again)
        self.plan = planner(site, profile, parmfile, allow_unsealed=allow_unsealed)
        if trial:
            # What was promised is the change that is tried.
            self.plan = trial_planner(site, profile, self.plan, self._promised)
        self._trial = trial

    def agree(self, plan: Plan) -> None:
        """Raise RefusedError where the plan is not what was promised."""
        if not self._trial:
            self._promised(plan)

    def _promised(self, plan: Plan) -> None:
        if self._saved is not None:
            self._saved.require_same(plan, self._again)


def _change(asked: _Asked, output: options.Format, *, diffs: bool, run_kargs: bool) -> None:
    """Follow the plan, then report. All that can fail of the report is tried before."""
    from contextlib import ExitStack

    from secboot.apply.apply import apply_plan, run_deployment_command
    from secboot.cli.plan import parmfile_at, parmfile_content, print_plan
    from secboot.cli.printing import print_report, print_text, reporting, require_output
    from secboot.report.outcome import apply_document, apply_text, done_text

    site = asked.site
    require_output()
    with ExitStack() as open_files:
        path = asked.parmfile
        file = None if path is None else open_files.enter_context(parmfile_at(path))

        def begin(plan: Plan) -> None:
            plan.require_no_trial()
            if file is not None and path is not None:
                file.prepare(parmfile_content(plan, path))
            if output == "text":
                with site.progress.hidden():
                    print_plan(plan, output, diffs=diffs)

        managed = site.managed_root()
        deployed = None
        if run_kargs:
            deployed = run_deployment_command(managed, asked.plan, asked.agree, begin)
        result = deployed or apply_plan(managed, asked.plan, asked.agree, begin)
        history = site.invocation.command("history")
        with site.progress.hidden(), reporting(done_text(result), history):
            if file is not None and path is not None:
                file.commit(parmfile_content(result.plan, path))
            print_report(
                output,
                lambda: apply_document(result),
                lambda style: apply_text(result, site.invocation, style),
            )
            if deployed is not None and output == "text":
                print_text("It is in a new deployment. Undo with: rpm-ostree rollback\n")


def _saved_plan(path: str) -> SavedPlan:
    from secboot.report.saved_plan import LIMIT, read_saved_plan
    from secboot.system.trusted import read_trusted
    from secboot.visible import visible

    return read_saved_plan(read_trusted(path, LIMIT), visible(path))
