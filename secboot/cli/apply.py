"""``secboot apply``: make the machine what a profile, or a plan that was saved, asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan

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
    from secboot.apply.apply import apply_plan, run_deployment_command
    from secboot.cli import plan as planning
    from secboot.cli.printing import print_report, print_text
    from secboot.cli.site import Site
    from secboot.report.outcome import apply_document, apply_text

    saved = _load_plan(Path(profile)) if profile.endswith(PLAN_SUFFIXES) else None
    site = Site(
        root,
        profile=profile if saved is None else saved.profile.name,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    )
    if dry_run:
        with site:
            plan = saved or planning.made_plan(site, profile, parmfile)
        planning.print_plan(plan, output, diffs=diff is not False)
        return 0

    def shown(plan: Plan) -> None:
        if output == "text":
            with site.progress.hidden():
                planning.print_plan(plan, output, diffs=bool(diff))

    with site:
        managed = site.managed_root()
        make = _planner(site, profile, saved, parmfile)
        deployed = run_deployment_command(managed, make, shown) if run_kargs else None
        result = deployed or apply_plan(managed, make, saved, shown)
    if parmfile is not None:
        planning.save_parmfile(result.plan, parmfile)
    print_report(
        output,
        lambda: apply_document(result),
        lambda style: apply_text(result, site.invocation, style),
    )
    if deployed is not None and output == "text":
        print_text("It is in a new deployment. Undo with: rpm-ostree rollback\n")
    return 0


def _planner(
    site: Site, profile: str, saved: Plan | None, parmfile: Path | None
) -> Callable[[Machine], Plan]:
    from secboot.cli.plan import planner
    from secboot.machine.profile_files import read_profile

    if saved is not None:
        return lambda _: saved
    return planner(site, read_profile(profile, site.root), parmfile)


def _load_plan(path: Path) -> Plan:
    """Read a plan that `secboot plan --out` wrote."""
    from secboot.cli.printing import file_error
    from secboot.report.plan import read_plan

    try:
        text = path.read_bytes()
    except OSError as error:
        raise file_error(path, f"the plan can't be read: {error.strerror}") from error
    return read_plan(text, str(path))
