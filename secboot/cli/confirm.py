"""``secboot confirm``: make the change of ``apply --trial`` permanent once the machine runs with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.checkpoint.record import Checkpoint
    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Confirmation, Plan
    from secboot.profile.profile import Profile

ProvenStage = Literal["running", "effective"]


def confirm(
    stage: Annotated[
        ProvenStage,
        typer.Option(
            "--stage",
            **options.one_of(*get_args(ProvenStage)),
            help="Stage that must be reached: running (the command line), or effective (the kernel"
            " also honours it).",
        ),
    ] = "running",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and change nothing.")
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
) -> int:
    """Make a trial permanent and drop its boot entry.

    Refused unless the system was booted with the parameter line of the trial. The profile, as it was
    when the trial was made, is applied to all boot entries that it selects; the re-IPL setting is
    restored.
    """
    from secboot.apply.apply import apply_plan
    from secboot.cli.plan import print_plan, with_unfinished_change
    from secboot.cli.printing import print_report, reporting, require_output
    from secboot.cli.site import Site
    from secboot.report.outcome import apply_document, apply_text, done_text

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
        trial = _Trial(site, stage)
        trial.name_words()
        if dry_run:
            plan = trial.plan(site.machine())
            print_plan(with_unfinished_change(site, plan), output, diffs=None, runs=site.runs_zipl)
            return 0
        require_output()

        def begin(plan: Plan) -> None:
            if output == "text":
                with site.progress.hidden():
                    print_plan(plan, output, diffs=False, acting=True)

        result = apply_plan(site.managed_root(), trial.plan, begin=begin)
        with (
            site.progress.hidden(),
            reporting(done_text(result), site.invocation.command("history")),
        ):
            print_report(
                output,
                lambda: apply_document(result),
                lambda style: apply_text(result, site.invocation, style),
            )
    return 0


class _Trial:
    """The current trial on a site, and how to make it permanent."""

    def __init__(self, site: Site, stage: ProvenStage) -> None:
        self._site, self._stage = site, stage

    def name_words(self) -> None:
        """Record the change under the words of ``secboot set``, if the trial was of words."""
        checkpoint = self._site.trial_checkpoint()
        words = () if checkpoint is None else checkpoint.record.audit.words
        self._site.invocation = self._site.invocation._replace(words=words)

    def plan(self, machine: Machine) -> Plan:
        """Return the plan; raise RefusedError unless there is a trial and the system runs with it."""
        from secboot.cli.plan import planner
        from secboot.plan.confirmation import plan_confirmation
        from secboot.plan.plan import NotApplicableError
        from secboot.profile.search import reference_to
        from secboot.status.trial import entry_of

        checkpoint = self._running(machine)
        trial = checkpoint.record.audit.trial
        entry = None if trial is None else entry_of(trial, machine)
        if trial is None or entry is None:
            raise LookupError(checkpoint.id)
        profile = self._profile(checkpoint)
        if not profile.words:
            named = reference_to(profile)
            self._site.invocation = self._site.invocation._replace(profile=named)
        self._require_stage(machine, profile)
        base = planner(self._site, profile)(machine)
        confirmation = self._confirmation(checkpoint)
        try:
            return plan_confirmation(base, machine, self._site.layout, entry, confirmation)
        except NotApplicableError as error:
            drop = self._site.invocation.command("rollback")
            error.hint = f"{error.hint}\nto do any of this, drop the trial first: {drop}"
            raise

    def _running(self, machine: Machine) -> Checkpoint:
        from secboot.errors import RefusedError
        from secboot.status.trial import TrialState

        site = self._site
        checkpoint = site.trial_checkpoint()
        standing = site.trial(machine, checkpoint)
        if standing is None:
            raise RefusedError(
                "no trial to confirm",
                hint=f"see what was done: {site.invocation.command('history')}\n"
                f"start a trial: {site.invocation.for_profile('apply', '--trial')}",
            )
        finding = standing.findings[0]
        if not site.is_running_system:
            raise RefusedError(
                "only the running system can confirm a trial, after it has booted the trial's entry",
                hint="run this command on the machine itself, after that reboot",
            )
        if standing.state is not TrialState.RUNNING or checkpoint is None:
            raise RefusedError(f"nothing to confirm: {finding.message}", hint=finding.hint)
        return checkpoint

    def _profile(self, checkpoint: Checkpoint) -> Profile:
        """Read the profile from the record; the profiles that it extends must be unchanged."""
        from secboot.errors import RefusedError
        from secboot.machine.profile_files import RootProfileFiles
        from secboot.profile.load import parse_profile
        from secboot.profile.profile import ProfileText
        from secboot.profile.words import NAME as WORDS

        audit, trial = checkpoint.record.audit, checkpoint.record.audit.trial
        if trial is None:
            raise LookupError(checkpoint.id)
        if audit.words:
            # Words extend no profile.
            text = ProfileText(WORDS, trial.profile_path, trial.profile_text)
            profile = parse_profile(text, RootProfileFiles(self._site.root))
            return profile._replace(words=audit.words)
        text = ProfileText(audit.profile or "", trial.profile_path, trial.profile_text)
        profile = parse_profile(text, RootProfileFiles(self._site.root))
        if profile.digest != audit.profile_digest:
            again = self._site.invocation.command("rollback")
            raise RefusedError(
                f"a profile that '{profile.name}' extends was changed after the trial of checkpoint"
                f" {checkpoint.id} was made",
                hint=f"drop the trial, then try the profile as it is now: {again}",
            )
        return profile

    def _require_stage(self, machine: Machine, profile: Profile) -> None:
        """Raise RefusedError if a requirement has not reached the stage."""
        from secboot.errors import RefusedError
        from secboot.running.kernel_log import read_kernel_log
        from secboot.running.system import read_running
        from secboot.status.assess import assess
        from secboot.status.stages import Evidence, Stage, Verdict

        site = self._site
        next_ipl = site.layout.next_ipl_of(machine)
        running = read_running(site.root, read_kernel_log(Path("/dev/kmsg")), next_ipl.record.path)
        status = assess(Evidence(machine, site.layout, next_ipl, profile, running, site.invocation))
        stages = [Stage.RUNNING] + ([Stage.EFFECTIVE] if self._stage == "effective" else [])
        for requirement in status.requirements:
            for stage in stages:
                result = requirement.stages[stage]
                if result.verdict not in {Verdict.MET, Verdict.NOT_APPLICABLE}:
                    raise RefusedError(
                        f"'{requirement.wanted}' has not reached the stage '{stage}': {result.reason}",
                        hint="\n".join(cause.message for cause in result.causes)
                        or f"drop the trial: {site.invocation.command('rollback')}",
                    )

    def _confirmation(self, checkpoint: Checkpoint) -> Confirmation:
        from secboot.apply.trial_setting import setting_to_take_back
        from secboot.plan.plan import Confirmation
        from secboot.running.firmware import read_reipl

        trial = checkpoint.record.audit.trial
        if trial is None:
            raise LookupError(checkpoint.id)
        setting = setting_to_take_back(checkpoint, trial, read_reipl(self._site.root))
        if setting is None:
            return Confirmation(checkpoint.id, trial.entry)
        return Confirmation(checkpoint.id, trial.entry, setting.path, setting.before, setting.after)
