"""``secboot status`` and ``secboot verify``: a profile's progress, and the same as checks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.status.checks import Check
    from secboot.status.stages import Stage, Status
    from secboot.status.trial import TrialStanding

VerifyFormat = Literal["text", "json", "prometheus", "nagios"]


def status(
    profile: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROFILE]",
            autocompletion=options.completed_by("profiles"),
            help="Profile name or path; without one, show only what is found.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    layout: options.Layout = None,
) -> int:
    """Show a profile's progress through five stages.

    The stages are: configured, inherited, installed, running, effective.
    """
    from secboot.cli.printing import is_verbose, print_report
    from secboot.invocation import Invocation
    from secboot.report.status import status_document, status_text

    only_looks()
    found = _assess(profile, root, layout, watched=output == "text")
    typed = Invocation(root=None if root == options.HERE else str(root))
    print_report(
        output,
        lambda: status_document(found),
        lambda style: status_text(
            found,
            style,
            every=is_verbose(),
            ask_for=None if profile is not None else _status_of_active_profile(root, layout),
            listing=typed.command("profile list"),
        ),
    )
    return 0


def _status_of_active_profile(root: Path, layout: str | None) -> str | None:
    """Return the command that judges the active profile; None if there is none, or it is unknown.

    Only root can read the checkpoints, which name it unless /etc/secboot/profile does.
    """
    from secboot.apply.active_profile import active_profile
    from secboot.cli.site import Site
    from secboot.errors import SecbootError

    with Site(root, layout=layout) as site:
        try:
            profile = active_profile(site.root, site.state, site.invocation)
        except SecbootError:
            return None
        return None if profile is None else site.invocation.command("status", profile.name)


def verify(
    profile: options.Profile,
    stage: Annotated[
        options.LastStage | None,
        typer.Option(
            "--stage",
            **options.one_of(*get_args(options.LastStage)),
            help="Last stage to check: inherited after an image build, installed after a run of"
            " zipl, effective after a reboot. By default effective on the running system, inherited"
            " elsewhere.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = options.HERE,
    output: Annotated[
        VerifyFormat,
        typer.Option(
            "--output",
            "-o",
            **options.one_of(*get_args(VerifyFormat)),
            help="text for people, json for programs, prometheus for node_exporter, nagios for"
            " plugins.",
        ),
    ] = "text",
    textfile: Annotated[
        Path | None,
        typer.Option(
            "--textfile",
            metavar="FILE",
            help="Also write metrics to FILE, even if the machine cannot be judged.",
            show_default=False,
        ),
    ] = None,
    strict: options.Strict = False,
    layout: options.Layout = None,
) -> int:
    """Check every stage of a profile.

    Exits with 5 if a stage is missing; with --output nagios, with 0 to 3 as a monitoring plugin.
    """
    only_looks(textfile)
    try:
        from secboot.status.checks import make_checks

        last = _last_stage(stage, root)
        found = _assess(profile, root, layout, watched=output == "text")
        checks = make_checks(found, last)
    except Exception:
        _write_failure(textfile, profile)
        raise
    return _report(found, checks, last, output, textfile, strict=strict)


def _report(
    found: Status,
    checks: tuple[Check, ...],
    last: Stage,
    output: VerifyFormat,
    textfile: Path | None,
    *,
    strict: bool,
) -> int:
    """Print the checks in the requested format, and return the exit code.

    With --output nagios, `secboot.cli.app` prints the line of a failure, too.
    """
    from secboot.cli.printing import print_report, print_text
    from secboot.errors import ExitCode
    from secboot.report.verify import verify_document, verify_text
    from secboot.status.checks import Outcome, worst

    name = "" if found.profile is None else found.profile.name
    text = ""
    if textfile is not None or output == "prometheus":
        from secboot.report.made import made
        from secboot.report.monitoring import metrics

        text = metrics(name, checks, last, made(os.environ))
        _write_metrics(textfile, text)
    if output == "nagios":
        from secboot.report.monitoring import plugin_text

        text, code = plugin_text(name, checks)
        print_text(text)
        return code
    if output == "prometheus":
        print_text(text)
    else:
        print_report(
            output,
            lambda: verify_document(found, checks, last),
            lambda style: verify_text(checks, last, style),
        )
    bad = {Outcome.FAIL, Outcome.WARN} if strict else {Outcome.FAIL}
    return ExitCode.DIFFERENCE if worst(checks) in bad else ExitCode.OK


def _write_metrics(path: Path | None, text: str) -> None:
    """Replace the file of metrics, if one was named."""
    from secboot.cli.output_file import OutputFile

    if path is not None:
        with OutputFile(path, "the metrics", 0o644) as file:
            file.commit(text.encode())


def _write_failure(path: Path | None, profile: str) -> None:
    """Say in the file of metrics that the machine could not be judged; the cause is reported anyway."""
    from contextlib import suppress

    from secboot.errors import SecbootError
    from secboot.report.made import made
    from secboot.report.monitoring import metrics_of_failure

    name = Path(profile).name.removesuffix(".yaml").removesuffix(".yml")
    with suppress(SecbootError):
        _write_metrics(path, metrics_of_failure(name, made(os.environ)))


def _assess(reference: str | None, root: Path, layout: str | None, *, watched: bool) -> Status:
    """Read the machine and judge its stages."""
    from secboot.cli.site import Site
    from secboot.machine.profile_files import read_profile
    from secboot.progress import Phase
    from secboot.running.kernel_log import read_kernel_log
    from secboot.running.system import read_running
    from secboot.status.assess import assess
    from secboot.status.stages import Evidence

    with Site(root, profile=reference, layout=layout, watched=watched) as site:
        profile = None if reference is None else read_profile(reference, site.root)
        site.layout.about(None if profile is None else profile.image)
        machine = site.machine(unconfigured=True)
        next_ipl = site.layout.next_ipl_of(machine)
        running = None
        if site.is_running_system:
            messages = read_kernel_log(Path("/dev/kmsg"))
            running = read_running(site.root, messages, next_ipl.record.path)
        site.progress.report(Phase.ASSESSING)
        trial = site.trial(machine)
        evidence = Evidence(
            machine, site.layout, next_ipl, profile, running, site.invocation, trial=trial
        )
        found = assess(evidence)
        left = site.unfinished_change()
    notices = found.notices if left is None else (left, *found.notices)
    return found._replace(notices=notices) if trial is None else with_trial(found, trial, notices)


def with_trial(found: Status, trial: TrialStanding, notices: tuple[Finding, ...]) -> Status:
    """Return the status with a trial, without the notice that a reboot starts its entry."""
    if trial.state in {"waiting", "running"}:
        notices = tuple(each for each in notices if each.code != "reipl-entry")
    return found._replace(trial=trial, notices=(*trial.findings, *notices))


def _last_stage(named: options.LastStage | None, root: Path) -> Stage:
    from secboot.cli.site import is_running_system
    from secboot.errors import UsageError
    from secboot.status.stages import Stage

    running = is_running_system(root)
    if named is None:
        return Stage.EFFECTIVE if running else Stage.INHERITED
    stage = Stage(named)
    if stage.of_running_system and not running:
        raise UsageError(
            f"{root} is not the running system, so the stage '{stage}' does not apply",
            hint="the last stage for another tree is installed",
        )
    return stage
