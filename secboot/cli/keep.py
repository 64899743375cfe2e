"""``secboot keep``, for the programs that install kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.apply.change import ManagedRoot
    from secboot.cli.site import Site
    from secboot.finding import Finding


def keep(
    root: options.Root = options.HERE,
    zipl: options.Zipl = False,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    allow_unsealed: options.AllowUnsealed = False,
) -> int:
    """Bring new boot entries to the profile in force.

    That is the one named in /etc/secboot/profile, or else the one that was applied last. The
    hooks for kernel-install and for Debian's kernels call this before they run zipl; where there
    is no profile in force, nothing is done. Of a guest in Secure Execution it says what a new
    kernel means for it: an image that is outdated now, a default that leaves Secure Execution.
    A trial whose kernel is gone is dropped, since zipl would refuse everything; one whose entry has
    another number now is not started by a reboot any more.
    """
    from secboot.apply.apply import active_profile, apply_plan
    from secboot.cli.plan import planner
    from secboot.cli.printing import print_text, reporting, style
    from secboot.cli.site import Site
    from secboot.report.outcome import apply_text, done_text, of_secure_guest

    with Site(
        root, layout=layout, state_dir=state_dir, zipl=zipl, zipl_timeout=zipl_timeout
    ) as site:
        # Without a look at standard output: a new kernel needs its parameters, read or not.
        managed = site.managed_root()
        _keep_trial(site, managed)
        profile = active_profile(site.root, site.state, site.invocation)
        told = () if profile is not None else tuple(_of_secure_guest(site))
        result = (
            None
            if profile is None
            else apply_plan(managed, planner(site, profile, allow_unsealed=allow_unsealed))
        )
    if profile is None or result is None:
        print_text("No profile is in force: none was applied here.\n")
        _print_findings(told)
    else:
        invocation = site.invocation._replace(profile=profile.name)
        with reporting(done_text(result), invocation.command("history")):
            print_text(f"Profile in force: {profile.name}.\n")
            print_text(apply_text(result, invocation, style()))
            if result.checkpoint is not None or result.plan.commands:
                # Else they stand in that text.
                _print_findings(of_secure_guest(result.plan.warnings))
    return 0


def _keep_trial(site: Site, managed: ManagedRoot) -> None:
    """Say where a trial stands, and see to what a kernel that came or went has made of it.

    Whatever goes wrong with it, the new kernel gets its parameters.
    """
    from secboot.cli.printing import print_text
    from secboot.errors import SecbootError

    try:
        checkpoint = site.trial_checkpoint()
        standing = None if checkpoint is None else site.trial(site.machine(), checkpoint)
        if checkpoint is None or standing is None or standing.number is None:
            return
        from secboot.status.trial import KERNEL_GONE

        if any(each.code == KERNEL_GONE for each in standing.findings):
            from secboot.apply.rollback import roll_back
            from secboot.apply.rollback_plan import Choices

            # What is secboot's own goes even if it was edited since, as by a tool that edits all entries.
            is_own = all(file.before is None for file in checkpoint.record.files)
            roll_back(managed, checkpoint.id, Choices(force=is_own))
            print_text(
                f"The trial of checkpoint {checkpoint.id} was dropped: its kernel is gone.\n"
            )
            return
        trial = checkpoint.record.audit.trial
        if trial is not None and standing.number != trial.number and managed.is_running:
            from secboot.apply.trial_setting import let_go

            for path in let_go(managed, checkpoint):
                print_text(
                    f"The boot entry of the trial has number {standing.number} now, and not"
                    f" {trial.number}: {path} is as before, and a reboot does not start it.\n"
                )
            standing = site.trial(site.machine(), checkpoint) or standing
        _print_findings(standing.findings)
    except SecbootError as error:
        print_text(f"The trial that stands here was left as it is: {error.message}\n")


def _of_secure_guest(site: Site) -> Iterable[Finding]:
    """What a kernel that was installed means for a guest in Secure Execution.

    No kernel's installation fails for what can't be read; and a system that is not booted by zipl
    has nothing to read.
    """
    from secboot.errors import RefusedError, SecbootError
    from secboot.finding import Finding, Severity
    from secboot.ipl.secure_execution import SECURE_UNKNOWN, findings

    try:
        machine = site.machine()
        found = site.layout.next_ipl_of(machine)
    except RefusedError:
        return
    except SecbootError as error:
        message = "it is not known whether what the next IPL starts is in Secure Execution"
        yield Finding(SECURE_UNKNOWN, Severity.WARNING, f"{message}: {error.message}")
        return
    hint = site.invocation.command("status")
    yield from (each._replace(hint=hint) for each in findings(machine, found))


def _print_findings(findings: Iterable[Finding]) -> None:
    from secboot.cli.printing import print_text, style
    from secboot.report.style import finding_text

    print_text("".join(f"{finding_text(each, style())}\n" for each in findings))
