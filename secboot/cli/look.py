"""The verbs that only look: plan, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secboot.cli.options import (
    DEFAULT_ROOT,
    DiffOption,
    LayoutOption,
    Output,
    OutputOption,
    ParmfileOption,
    ProfileArgument,
    RootOption,
    StateOption,
    ZiplOption,
)


def plan(
    profile: ProfileArgument,
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    diff: DiffOption = True,
    zipl: ZiplOption = None,
    state_dir: StateOption = None,
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
    layout: LayoutOption = None,
    parmfile: ParmfileOption = None,
) -> int:
    """Show what would change, and why; write nothing."""
    from secboot.cli.planning import plan_for
    from secboot.cli.printing import print_plan, save_parmfile, save_plan
    from secboot.cli.progress import progress_shown
    from secboot.errors import ExitCode

    with progress_shown(wanted=output is Output.TEXT) as display:
        made = plan_for(profile, root, zipl, state_dir, layout, parmfile, display)
    print_plan(made, output, diffs=diff)
    if out is not None:
        save_plan(made, out)
    if parmfile is not None:
        save_parmfile(made, parmfile)
    different = detailed_exitcode and made.differs
    return ExitCode.DIFFERENCE if different else ExitCode.OK


def show(
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    state_dir: StateOption = None,
    layout: LayoutOption = None,
) -> int:
    """Show every boot entry with its parameter line."""
    from secboot.cli.planning import discover_machine, unfinished_change
    from secboot.cli.printing import print_json, print_text, style
    from secboot.cli.progress import progress_shown
    from secboot.ipl.boot_record import compare
    from secboot.report.show import show_document, show_text

    with progress_shown(wanted=output is Output.TEXT) as display:
        machine, found = discover_machine(root, layout, display)
    record = compare(machine)
    unfinished = unfinished_change(root, state_dir)
    if output is Output.JSON:
        print_json(show_document(machine, found, record, unfinished))
    else:
        print_text(show_text(machine, found, record, style(), unfinished))
    return 0


def check(
    root: RootOption = DEFAULT_ROOT,
    output: OutputOption = Output.TEXT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 for warnings, too.")
    ] = False,
    layout: LayoutOption = None,
) -> int:
    """Check the boot files against zipl's own rules.

    Exits with 5 when zipl would refuse them.
    """
    from secboot.cli.planning import discover_machine
    from secboot.cli.printing import print_json, print_text, style
    from secboot.cli.progress import progress_shown
    from secboot.errors import ExitCode
    from secboot.report.check import check_document, check_text

    with progress_shown(wanted=output is Output.TEXT) as display:
        machine, _ = discover_machine(root, layout, display)
    if output is Output.JSON:
        print_json(check_document(machine))
    else:
        print_text(check_text(machine, style()))
    found = machine.configuration.problems or (strict and machine.configuration.warnings)
    return ExitCode.DIFFERENCE if found else ExitCode.OK
