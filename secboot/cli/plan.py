"""``secboot plan``; and how verbs make a plan, print it and save what goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.cli.output_file import OutputFile
    from secboot.cli.site import Site
    from secboot.finding import Finding
    from secboot.invocation import Invocation
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import ParmfileRequest, Plan
    from secboot.profile.profile import Profile
    from secboot.report.style import Style

_PARMFILE_LIMIT = 2**20
"""Bytes. A parameter line has a few thousand."""
_HEAD = 80
"""How many bytes at the start of a saved plan contain the name of its schema."""


def plan(
    profile: options.Profile,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: options.Diff = None,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 5 if anything would change.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            autocompletion=options.completed_by("files"),
            help="Save the plan for `secboot apply FILE`.",
            show_default=False,
        ),
    ] = None,
    layout: options.Layout = None,
    parmfile: options.Parmfile = None,
    allow_unsealed: options.AllowUnsealed = False,
) -> int:
    """Show what would change and why; change nothing."""
    from secboot.cli.site import Site
    from secboot.errors import ExitCode
    from secboot.machine.profile_files import read_profile
    from secboot.plan.plan import TRIAL_STANDS

    only_looks(out, parmfile)
    with Site(
        root,
        profile=profile,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        watched=output == "text",
    ) as site:
        read = read_profile(profile, site.root)
        make = planner(site, read, parmfile, allow_unsealed=allow_unsealed)
        machine = site.machine()
        made = make(machine)
        shown = with_unfinished_change(site, made, machine)
        runs = site.runs_zipl
        again = options_again(parmfile, allow_unsealed=allow_unsealed, zipl=zipl)
        apply: str | None = site.invocation.for_profile("apply", *again)
        if out is not None:
            apply = site.invocation.command("apply", str(out), *again)
        if any(each.code == TRIAL_STANDS for each in made.warnings):
            apply = None  # it would be refused
    if out is not None:
        _save_plan(profile, read, made, out)
    if parmfile is not None:
        # Before the plan is printed: if it fails, the only document is that of the failure.
        with parmfile_at(parmfile) as file:
            file.commit(parmfile_content(made, parmfile))
    print_plan(shown, output, diffs=diff, apply=apply, runs=runs)
    return ExitCode.DIFFERENCE if detailed_exitcode and made.differs else ExitCode.OK


def options_again(
    parmfile: Path | None, *, allow_unsealed: bool, zipl: bool | None = None
) -> tuple[str, ...]:
    """Return the options with which another `plan` or `apply` means the same."""
    words = [] if parmfile is None else ["--parmfile", str(parmfile)]
    words += ["--allow-unsealed"] if allow_unsealed else []
    words += [] if zipl is None else ["--zipl" if zipl else "--no-zipl"]
    return tuple(words)


def planner(
    site: Site, profile: Profile, parmfile: Path | None = None, *, allow_unsealed: bool = False
) -> Callable[[Machine], Plan]:
    """Return the function that plans a profile for the site's machine."""
    from secboot.plan.planner import make_plan
    from secboot.progress import Phase

    request = _parmfile_request(parmfile, profile)
    site.layout.about(profile.image)

    def make(machine: Machine) -> Plan:
        site.progress.report(Phase.PLANNING)
        if parmfile is not None:
            _require_no_boot_file(parmfile, machine)
        made = make_plan(
            profile,
            machine,
            site.layout,
            with_zipl=site.runs_zipl,
            parmfile=request,
            live=site.live_facts(machine.bootmap.path),
            allow_unsealed=allow_unsealed,
        )
        return _typed(made, site.invocation)

    return make


def _require_no_boot_file(parmfile: Path, machine: Machine) -> None:
    """Refuse a parmfile that is a boot file, which the line of an image would damage."""
    from contextlib import suppress

    from secboot.cli.printing import file_error

    parmfiles = {each.real_path for each in machine.parmfiles.values()}
    top = machine.root.rstrip("/")
    for file in machine.files:
        with suppress(OSError):
            if file.real_path not in parmfiles and parmfile.samefile(f"{top}{file.real_path}"):
                raise file_error(parmfile, "a boot file, not the parmfile of an image")


def _typed(plan: Plan, invocation: Invocation) -> Plan:
    """Return the plan with commands that have the options with which secboot was called."""

    def typed(finding: Finding) -> Finding:
        hint = finding.hint
        return finding if hint is None else finding._replace(hint=invocation.in_text(hint))

    if invocation.state_dir is None and invocation.layout is None:
        return plan  # it knows the root
    steps = tuple(
        each._replace(lines=tuple(map(invocation.in_text, each.lines))) for each in plan.steps
    )
    return plan._replace(steps=steps, warnings=tuple(map(typed, plan.warnings)))


def trial_planner(
    site: Site,
    profile: Profile,
    plan: Callable[[Machine], Plan],
    agree: Callable[[Plan], None] = lambda _: None,
) -> Callable[[Machine], Plan]:
    """Return the function that plans a trial of what `plan` plans; `agree` checks that plan first."""
    from secboot.plan.trial_entry import plan_trial, require_possible

    def make(machine: Machine) -> Plan:
        require_possible(machine, site.layout, profile)
        base = plan(machine)
        agree(base)
        live = site.live_facts(machine.bootmap.path)
        return plan_trial(base, profile, machine, site.layout, live, with_zipl=site.runs_zipl)

    return make


def with_unfinished_change(site: Site, plan: Plan, machine: Machine | None = None) -> Plan:
    """Return the plan with findings about an unfinished change and about a trial.

    These are about the checkpoints, not part of what the plan promises.
    """
    left = site.unfinished_change()
    trial = None if machine is None else site.trial(machine)
    found: tuple[Finding, ...] = () if left is None else (left,)
    warnings = plan.warnings
    if trial is not None:
        from secboot.plan.plan import TRIAL_STANDS

        found += trial.findings
        # That a reboot starts its entry is the purpose of a trial.
        said = {TRIAL_STANDS, *(("reipl-entry",) if trial.state in {"waiting", "running"} else ())}
        warnings = tuple(each for each in warnings if each.code not in said)
    return plan._replace(warnings=(*found, *warnings)) if found else plan


def print_plan(
    plan: Plan,
    output: options.Format,
    *,
    diffs: bool | None,
    apply: str | None = None,
    acting: bool = False,
    runs: bool = False,
) -> None:
    """Print a plan as text or JSON, with the command `apply` that follows it, if there is one.

    With `diffs` None they are shown if the text is not for a terminal; JSON always has them. `acting`
    is for a plan that is being followed. With `runs`, secboot runs the plan's commands itself.
    """
    from secboot.cli.printing import is_verbose, print_report

    def document() -> dict[str, Any]:
        from secboot.report.plan import plan_document

        return plan_document(plan)

    def text(style: Style) -> str:
        from secboot.report.plan import plan_text

        shown = style.width is None if diffs is None else diffs
        return plan_text(
            plan,
            style,
            diffs=shown,
            every=is_verbose(),
            apply=apply,
            acting=acting,
            runs=runs,
        )

    print_report(output, document, text)


def parmfile_at(path: Path) -> OutputFile:
    """Return the user's file for the parmfile of a rebuilt Secure Execution image."""
    from secboot.cli.output_file import OutputFile

    return OutputFile(path, "the parmfile", 0o600, keeps=True)


def parmfile_content(plan: Plan, path: Path) -> bytes:
    """Return the content for the parmfile. Raises RefusedError if the plan has none."""
    from secboot.cli.printing import file_error
    from secboot.formats.text import encoded

    if plan.parmfile is None:
        raise file_error(
            path,
            "no boot entry that the profile selects boots a Secure Execution image, so there is no"
            " parmfile to write",
        )
    return encoded(plan.parmfile)


def _parmfile_request(path: Path | None, profile: Profile) -> ParmfileRequest | None:
    """Return the request of --parmfile, with the content of the file if it exists."""
    if path is None:
        return None
    from secboot.errors import UsageError

    if profile.image is not None:
        raise UsageError(
            f"the profile itself names the parmfile, {profile.image.parmfile}, and `apply` writes it",
            location=profile.image.location,
            hint="remove --parmfile from the command",
        )
    from secboot.cli.printing import file_error
    from secboot.formats.text import decoded
    from secboot.plan.plan import ParmfileRequest
    from secboot.system.trusted import caller, is_shared

    found = parmfile_at(path).read(_PARMFILE_LIMIT + 1)
    if found is not None and not (caller() == 0 or is_shared(path.stat())):
        raise file_error(path, "only the owner may read this file, but the plan would show it")
    if found is not None and len(found) > _PARMFILE_LIMIT:
        raise file_error(path, f"not a parmfile: larger than {_PARMFILE_LIMIT // 2**20} MiB")
    text = None if found is None else decoded(found)
    return ParmfileRequest(str(path), text)


def _save_plan(reference: str, profile: Profile, plan: Plan, path: Path) -> None:
    """Write a plan to a file that only its owner can read, because it contains boot files."""
    import json
    import os

    from secboot.cli.output_file import OutputFile
    from secboot.cli.printing import file_error
    from secboot.report.made import with_origin
    from secboot.report.saved_plan import saved_plan_document

    with OutputFile(path, "the plan", 0o600) as file:
        old = file.read(_HEAD)
        if old and b'"secboot/' not in old:
            raise file_error(path, "this file is not a saved plan and was not overwritten")
        document = with_origin(saved_plan_document(reference, profile, plan), os.environ)
        text = json.dumps(document, indent=2)
        file.commit(f"{text}\n".encode())
