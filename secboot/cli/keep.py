"""``secboot keep``: called by the programs that install kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.apply.change import ManagedRoot
    from secboot.cli.site import Site
    from secboot.errors import Location
    from secboot.finding import Finding

MESSAGE_ID = "64f55a0dd1f94da78ae0ad47be8a4cf9"
"""What entries in the systemd journal about new kernels have in common; systemd.journal-fields(7)."""
_ERROR, _WARNING = 3, 4
"""Priorities of syslog(3)."""


def keep(
    root: options.Root = options.HERE,
    zipl: options.Zipl = False,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    allow_unsealed: options.AllowUnsealed = False,
) -> int:
    """Apply the active profile to new boot entries.

    The active profile is the one named in /etc/secboot/profile, or else the one applied last. The
    hooks of kernel-install and of Debian's kernel packages call this command before they run zipl;
    without an active profile it changes nothing. For a guest in Secure Execution it reports what a
    new kernel means: an image that is now outdated, or a default that leaves Secure Execution. Such
    warnings are also logged. A trial whose kernel is gone is dropped, because zipl would refuse the
    whole configuration. If the number of a trial's entry has changed, a reboot no longer starts it.
    """
    from secboot.apply.active_profile import active_profile
    from secboot.apply.apply import apply_plan
    from secboot.cli.plan import planner
    from secboot.cli.printing import print_text, reporting, style
    from secboot.cli.site import Site
    from secboot.errors import SecbootError
    from secboot.plan.plan import NotApplicableError
    from secboot.report.outcome import apply_text, done_text, of_secure_guest

    with Site(
        root, layout=layout, state_dir=state_dir, zipl=zipl, zipl_timeout=zipl_timeout
    ) as site:
        # Standard output is not checked: a new kernel needs its parameters even if nobody reads it.
        managed = site.managed_root()
        _keep_trial(site, managed)
        try:
            profile = active_profile(site.root, site.state, site.invocation)
            told = () if profile is not None else tuple(_of_secure_guest(site))
            result = (
                None
                if profile is None
                else apply_plan(managed, planner(site, profile, allow_unsealed=allow_unsealed))
            )
        except SecbootError as error:
            _log(site, _ERROR, f"keep: {error.message}", error.location)
            if isinstance(error, NotApplicableError):
                for each in error.findings:
                    _log_finding(site, each)
            raise
        for each in told if result is None else of_secure_guest(result.plan.warnings):
            _log_finding(site, each)
    if profile is None or result is None:
        print_text("No active profile.\n")
        _print_findings(told)
    else:
        invocation = site.invocation._replace(profile=profile.name)
        with reporting(done_text(result), invocation.command("history")):
            print_text(f"Active profile: {profile.name}.\n")
            print_text(apply_text(result, invocation, style()))
            if result.checkpoint is not None or result.plan.commands:
                # Otherwise they are part of that text.
                _print_findings(of_secure_guest(result.plan.warnings))
    return 0


def _keep_trial(site: Site, managed: ManagedRoot) -> None:
    """Report the state of a trial, and handle kernels that were installed or removed since.

    Whatever fails here, the new kernel gets its parameters.
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

            # secboot's own files are removed even if edited since, as by a tool that edits all entries.
            is_own = all(file.before is None for file in checkpoint.record.files)
            roll_back(managed, checkpoint.id, Choices(force=is_own))
            _settle(f"Only the trial of checkpoint {checkpoint.id} was dropped.")
            print_text(
                f"The trial of checkpoint {checkpoint.id} was dropped: its kernel is gone.\n"
            )
            return
        trial = checkpoint.record.audit.trial
        if trial is not None and standing.number != trial.number and managed.is_running:
            from secboot.apply.trial_setting import let_go

            for path in let_go(managed, checkpoint):
                _settle(f"Only {path} was restored.")
                print_text(
                    f"The trial's boot entry now has number {standing.number} instead of"
                    f" {trial.number}: {path} is restored, and a reboot does not start the trial.\n"
                )
            standing = site.trial(site.machine(), checkpoint) or standing
        _print_findings(standing.findings)
        for each in standing.findings:
            _log_finding(site, each)
    except SecbootError as error:
        print_text(f"The trial was left as it is: {error.message}\n")


def _settle(sentence: str) -> None:
    """Record what is done, whether or not the profile can then be applied."""
    from secboot.cli.state_line import ledger
    from secboot.errors import MachineState, StateKind

    known = ledger()
    if known is not None:
        known.settle(MachineState(StateKind.RESTORED, sentence))


def _of_secure_guest(site: Site) -> Iterable[Finding]:
    """What a newly installed kernel means for a guest in Secure Execution.

    An unreadable boot record must not make a kernel's installation fail; and a system that is not
    booted by zipl has no boot record to read.
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
        message = "unknown whether the next IPL starts in Secure Execution"
        yield Finding(SECURE_UNKNOWN, Severity.WARNING, f"{message}: {error.message}")
        return
    hint = site.invocation.command("status")
    yield from (each._replace(hint=hint) for each in findings(machine, found))


def _log_finding(site: Site, finding: Finding) -> None:
    """Log a finding that is more than a note: updates run unattended, and nobody reads their output."""
    from secboot.finding import Severity

    if finding.severity is not Severity.NOTE:
        priority = _ERROR if finding.severity is Severity.ERROR else _WARNING
        _log(site, priority, finding.message, finding.location, ("code", finding.code))


def _log(
    site: Site, priority: int, message: str, location: Location | None, *facts: tuple[str, str]
) -> None:
    """Send a message about the running system to the system log."""
    if not site.is_running_system:
        return
    from secboot.system.systemd_journal import log
    from secboot.visible import visible

    where = [] if location is None else [("file", location.path)]
    log(priority, visible(message), MESSAGE_ID, [("action", "keep"), *facts, *where])


def _print_findings(findings: Iterable[Finding]) -> None:
    from secboot.cli.printing import print_text, style
    from secboot.report.style import finding_text

    print_text("".join(f"{finding_text(each, style())}\n" for each in findings))
