"""``secboot init``: write the first boot configuration of a tree that has kernels but none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.cli.site import Site
    from secboot.layout.first import FirstAsked
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan


def init(
    root: options.Root = options.HERE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and change nothing.")
    ] = False,
    parameters: Annotated[
        str | None,
        typer.Option(
            "--parameters",
            metavar="LINE",
            help="Complete parameter line of the boot entries; by default that of"
            " /etc/kernel/cmdline, or root= from /etc/fstab.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="DIR",
            help="Directory for the boot record, inside the root; by default /boot.",
            show_default=False,
        ),
    ] = None,
    output: options.Output = "text",
    diff: options.Diff = None,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Write the first boot configuration of a system.

    For a system that has kernels but no boot configuration. It gets that of its distribution: on RHEL
    and Fedora, an automatic menu and a BLS entry for each kernel; on Debian and Ubuntu, sections that
    use the links which their packages maintain. zipl checks it before it takes effect. `secboot
    rollback` removes it.
    """
    from secboot.cli.plan import print_plan, with_unfinished_change
    from secboot.cli.site import Site
    from secboot.layout.first import FirstAsked

    if dry_run:
        only_looks()
    with Site(
        root,
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        make = _planner(site, FirstAsked(target, parameters))
        if dry_run:
            plan = make(site.machine())
            print_plan(with_unfinished_change(site, plan), output, diffs=diff, runs=site.runs_zipl)
            return 0
        _write(site, make, output, diffs=diff)
    return 0


def _planner(site: Site, asked: FirstAsked) -> Callable[[Machine], Plan]:
    from functools import partial

    from secboot.machine.discovery import configuration_after
    from secboot.plan.first_configuration import plan_first_configuration

    site.layout.for_first_configuration()
    after = partial(configuration_after, site.root, site.layout.sources, site.environment)

    def device_of(path: str) -> int | None:
        status = site.root.stat(path)
        return status.device if status is not None and status.is_directory else None

    def make(machine: Machine) -> Plan:
        return plan_first_configuration(machine, site.layout, asked, after, device_of)

    return make


def _write(
    site: Site, make: Callable[[Machine], Plan], output: options.Format, *, diffs: bool | None
) -> None:
    from secboot.apply.apply import apply_plan
    from secboot.cli.plan import print_plan
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.profile.declared import DECLARED
    from secboot.report.outcome import apply_document, apply_text, done_text

    require_output()

    def begin(plan: Plan) -> None:
        if output == "text":
            with site.progress.hidden():
                print_plan(plan, output, diffs=diffs, acting=True)

    result = apply_plan(site.managed_root(), make, begin=begin)
    following = f"Next, apply a profile: {site.invocation.for_profile('apply')}"
    if site.root.exists(DECLARED):
        following = f"Next, apply the active profile: {site.invocation.command('keep')}"
    with site.progress.hidden(), reporting(done_text(result), site.invocation.command("history")):
        print_report(
            output,
            lambda: apply_document(result),
            lambda style: apply_text(result, site.invocation, style) + f"{following}\n",
        )
