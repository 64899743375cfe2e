"""The verbs that tell how far everything has got: status, verify."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli.options import (
    DEFAULT_ROOT,
    LayoutOption,
    Output,
    OutputOption,
    ProfileArgument,
    RootOption,
    StageName,
)

if TYPE_CHECKING:
    from secboot.status.model import Stage, Status


class VerifyOutput(StrEnum):
    """Whom the checks are for."""

    TEXT = "text"
    JSON = "json"
    PROMETHEUS = "prometheus"


def status(
    profile: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROFILE]",
            help="A profile's name or path; without one, only what is found is shown.",
            show_default=False,
        ),
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    layout: LayoutOption = None,
) -> int:
    """Show how far a profile has got, in five stages.

    They are: configured, inherited, installed, running, effective.
    """
    from secboot.cli.printing import print_json, print_text, style
    from secboot.report.status_json import status_document
    from secboot.report.status_text import status_text

    found = _assess(profile, root, layout, wanted=output is Output.TEXT)
    if output is Output.JSON:
        print_json(status_document(found))
    else:
        print_text(status_text(found, style()))
    return 0


def verify(
    profile: ProfileArgument,
    stage: Annotated[
        StageName | None,
        typer.Option(
            "--stage",
            help="Up to which stage counts: an image build ends with inherited, a run of zipl with"
            " installed, a reboot with effective. By default effective on the running system,"
            " inherited elsewhere.",
            show_default=False,
        ),
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    output: Annotated[
        VerifyOutput,
        typer.Option(
            "--output",
            "-o",
            help="text for people, json for programs, prometheus for node_exporter.",
        ),
    ] = VerifyOutput.TEXT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 for warnings, too.")
    ] = False,
    layout: LayoutOption = None,
) -> int:
    """Check every stage of a profile; exit with 5 if one is missing."""
    from secboot.cli.printing import print_json, print_text, style
    from secboot.errors import ExitCode
    from secboot.report.prometheus import prometheus_text
    from secboot.report.verify import verify_document, verify_text
    from secboot.status.checks import Outcome, make_checks, worst

    last = _last_stage(stage, root)
    found = _assess(profile, root, layout, wanted=output is VerifyOutput.TEXT)
    checks = make_checks(found, last)
    if output is VerifyOutput.JSON:
        print_json(verify_document(found, checks, last))
    elif output is VerifyOutput.PROMETHEUS:
        print_text(prometheus_text(found, checks, last))
    else:
        print_text(verify_text(found, checks, last, style()))
    bad = {Outcome.FAIL, Outcome.WARN} if strict else {Outcome.FAIL}
    return ExitCode.DIFFERENCE if worst(checks) in bad else ExitCode.OK


def _last_stage(named: StageName | None, root: Path) -> Stage:
    from secboot.cli.planning import is_running_system
    from secboot.errors import UsageError
    from secboot.status.model import Stage

    running = is_running_system(root)
    if named is None:
        return Stage.EFFECTIVE if running else Stage.INHERITED
    stage = Stage(named.value)
    if stage.of_running_system and not running:
        raise UsageError(
            f"{root} is not the running system, so nothing there can be {stage}",
            hint="the last stage that another tree can reach is installed",
        )
    return stage


def _assess(reference: str | None, root: Path, layout: str | None, *, wanted: bool) -> Status:
    """Read the machine and judge it; `wanted` is whether progress is."""
    from secboot.cli.planning import environment_of, is_running_system, unfinished_change
    from secboot.cli.progress import progress_shown
    from secboot.ipl.boot_record import compare
    from secboot.layout.detect import detect_layout
    from secboot.layout.new_kernel import new_kernel
    from secboot.machine.discovery import discover
    from secboot.machine.profile_files import read_profile
    from secboot.progress import Phase
    from secboot.running.kernel_log import read_kernel_log
    from secboot.running.running import read_running
    from secboot.status.assess import assess
    from secboot.status.model import Notice
    from secboot.system.root import Root

    with progress_shown(wanted=wanted) as display, Root(root) as tree:
        profile = None if reference is None else read_profile(reference, tree)
        found_layout = detect_layout(tree, layout)
        machine = discover(tree, found_layout.sources, environment_of(root), display)
        record = compare(machine)
        running = None
        if is_running_system(root):
            messages = read_kernel_log(Path("/dev/kmsg"))
            running = read_running(tree, messages, record.path)
        line = None if running is None else running.command_line
        inheritance = new_kernel(machine, found_layout, line)
        display.report(Phase.ASSESSING)
        found = assess(machine, found_layout, record, profile, inheritance, running)
    left = unfinished_change(root, None)
    if left is None:
        return found
    return found._replace(notices=(Notice("unfinished-change", left), *found.notices))
