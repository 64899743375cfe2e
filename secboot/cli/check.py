"""``secboot check``: check the boot files against zipl's rules, and repair them with --fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.apply.repairing import RepairResult
    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.repair.repair_plan import RepairPlan


def check(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Repair what has only one possible meaning, then run zipl. Nothing is written"
            " unless zipl accepts the result.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: show the repairs and change nothing.")
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    strict: options.Strict = False,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Check the boot files against zipl's rules.

    Exits with 5 if zipl would refuse them. --fix repairs them and exits with 0 if zipl now accepts
    them, with 1 if something needs your decision (then nothing is changed), or with 5 if only a file
    that they name is still missing. With --fix --dry-run, 5 means that there is something to do.
    `secboot rollback` undoes a repair.
    """
    from secboot.cli.printing import print_report
    from secboot.cli.site import Site
    from secboot.errors import ExitCode, RefusedError, UsageError
    from secboot.report.check import check_document, check_text

    if not fix and (dry_run or zipl is not None):
        # --state-dir is accepted, too, since commands have it in common.
        raise UsageError(
            "--dry-run, --zipl and --no-zipl require --fix",
            hint="without --fix, check writes nothing",
        )
    if fix and strict:
        raise UsageError("--strict and --fix cannot be combined")
    if dry_run or not fix:
        only_looks()
    with Site(
        root,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        if fix:
            return _dry_run(site, output) if dry_run else _fix(site, output)
        machine = site.machine()
        if machine.lacks_conf or not machine.configured:
            init = site.invocation.command("init")
            raise RefusedError(
                f"{machine.root} has no zipl configuration yet",
                hint=f"install a kernel, then run: {init}" if machine.awaits_kernel else init,
            )
        invocation = site.invocation
        if not (machine.configuration.entries or site.layout.zipl_reads_files(machine)):
            raise RefusedError(
                f"{machine.root} has no boot entries yet: they come from {site.layout.first_by}"
            )
        repairs = _repairs(site, machine)
    print_report(
        output,
        lambda: check_document(machine, repairs, invocation),
        lambda style: check_text(machine, repairs, invocation, style),
    )
    found = machine.configuration.problems or (strict and machine.configuration.warnings)
    return ExitCode.DIFFERENCE if found else ExitCode.OK


def _repairs(site: Site, machine: Machine) -> RepairPlan | None:
    """Return what --fix would do; None if there is nothing to repair, or it would be refused."""
    if not (machine.configuration.problems or machine.configuration.warnings):
        return None
    from secboot.errors import RefusedError
    from secboot.repair.repair_plan import plan_repairs

    try:
        return plan_repairs(
            machine,
            site.layout,
            lambda contents: site.machine(changed=contents),
            with_zipl=site.runs_zipl,
        )
    except RefusedError:
        return None


def _dry_run(site: Site, output: options.Format) -> int:
    from secboot.apply.repairing import RepairResult
    from secboot.errors import ExitCode
    from secboot.repair.repair_plan import plan_repairs

    plan = plan_repairs(
        site.machine(),
        site.layout,
        lambda contents: site.machine(changed=contents),
        with_zipl=site.runs_zipl,
    )
    _print(site, RepairResult(plan, None, None, ()), output, dry_run=True)
    if plan.refusal is not None:
        return ExitCode.REFUSED
    return ExitCode.DIFFERENCE if plan.files or not plan.accepted else ExitCode.OK


def _fix(site: Site, output: options.Format) -> int:
    from secboot.apply.repairing import RepairResult, repair_boot_files
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.errors import ExitCode
    from secboot.repair.repair_plan import UnrepairedError
    from secboot.report.outcome import done_text
    from secboot.report.repair import repair_plan_text

    require_output()

    def begin(plan: RepairPlan) -> None:
        if output == "text" and plan.files:
            with site.progress.hidden():
                print_report(
                    output, dict, lambda style: repair_plan_text(plan, site.invocation, style)
                )

    try:
        result = repair_boot_files(site.managed_root(), begin)
    except UnrepairedError as error:
        _print(site, RepairResult(error.plan, None, None, ()), output, dry_run=False)
        return ExitCode.REFUSED
    with site.progress.hidden(), reporting(done_text(result), site.invocation.command("history")):
        _print(site, result, output, dry_run=False)
    return ExitCode.OK if result.plan.accepted else ExitCode.DIFFERENCE


def _print(site: Site, result: RepairResult, output: options.Format, *, dry_run: bool) -> None:
    from secboot.cli.printing import print_report
    from secboot.report.repair import repair_document, repair_text

    print_report(
        output,
        lambda: repair_document(result, dry_run=dry_run),
        lambda style: repair_text(result, site.invocation, style),
    )
