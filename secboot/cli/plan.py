"""``secboot plan``; and how a verb comes to a plan, prints it and saves what goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secboot.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.plan.sealed_image import ParmfileRequest
    from secboot.profile.profile import Profile
    from secboot.report.style import Style


def plan(
    profile: options.Profile,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: Annotated[
        bool, typer.Option("--diff/--no-diff", help="Show what changes in each file, line by line.")
    ] = True,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 5 when there is a difference.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Save the plan for `secboot apply FILE`.",
            show_default=False,
        ),
    ] = None,
    layout: options.Layout = None,
    parmfile: options.Parmfile = None,
) -> int:
    """Show what would change, and why; write nothing."""
    from secboot.cli.site import Site
    from secboot.errors import ExitCode

    with Site(
        root,
        profile=profile,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        watched=output == "text",
    ) as site:
        made = made_plan(site, profile, parmfile)
    print_plan(made, output, diffs=diff)
    if out is not None:
        _save_plan(made, out)
    if parmfile is not None:
        save_parmfile(made, parmfile)
    return ExitCode.DIFFERENCE if detailed_exitcode and made.differs else ExitCode.OK


def planner(
    site: Site, profile: Profile, parmfile: Path | None = None
) -> Callable[[Machine], Plan]:
    """Return what makes the site's plan for a profile from the machine."""
    from secboot.plan.planner import make_plan
    from secboot.progress import Phase

    request = _parmfile_request(parmfile)

    def make(machine: Machine) -> Plan:
        site.progress.report(Phase.PLANNING)
        return make_plan(
            profile,
            machine,
            site.layout,
            with_zipl=site.runs_zipl,
            parmfile=request,
            live=site.live_facts(machine.bootmap.path),
        )

    return make


def made_plan(site: Site, profile: str, parmfile: Path | None) -> Plan:
    """Return the plan for the machine as it is, with a warning about an unfinished change."""
    from secboot.machine.profile_files import read_profile

    plan = planner(site, read_profile(profile, site.root), parmfile)(site.machine())
    left = site.unfinished_change()
    if left is None:
        return plan
    return plan._replace(warnings=(left, *plan.warnings))


def print_plan(plan: Plan, output: options.Format, *, diffs: bool) -> None:
    """Write a plan for whom it is meant; JSON always has the diffs."""
    from secboot.cli.printing import print_report

    def document() -> dict[str, Any]:
        from secboot.report.plan import plan_document

        return plan_document(plan)

    def text(style: Style) -> str:
        from secboot.report.plan import plan_text

        return plan_text(plan, style, diffs=diffs)

    print_report(output, document, text)


def _parmfile_request(path: Path | None) -> ParmfileRequest | None:
    """Return what is asked with --parmfile; the file may exist, and is read then."""
    if path is None:
        return None
    from secboot.cli.printing import file_error
    from secboot.plan.sealed_image import ParmfileRequest

    text = None
    try:
        if path.exists():
            text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise file_error(path, f"the parmfile can't be read: {error.strerror}") from error
    return ParmfileRequest(str(path), text)


def save_parmfile(plan: Plan, path: Path) -> None:
    """Write the parmfile of a rebuilt sealed image to a file of the user, readable by its owner."""
    from secboot.cli.printing import file_error

    if plan.parmfile is None:
        raise file_error(
            path,
            "none of the boot entries that the profile selects boots a sealed image, so there is"
            " no parmfile to write",
        )
    try:
        path.touch(mode=0o600)
        path.write_bytes(plan.parmfile.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise file_error(path, f"the parmfile can't be written: {error.strerror}") from error


def _save_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file of the user, readable by its owner: it holds boot files."""
    import json

    from secboot.cli.printing import file_error
    from secboot.report.plan import plan_document

    text = json.dumps(plan_document(plan), indent=2) + "\n"
    try:
        path.touch(mode=0o600)
        path.write_text(text)
    except OSError as error:
        raise file_error(path, f"the plan can't be saved: {error.strerror}") from error
