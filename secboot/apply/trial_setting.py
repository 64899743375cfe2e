"""What a trial is besides its boot entry: the re-IPL setting, the record, and the look at what zipl wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.record import Trial
from secboot.checkpoint.settings import Moment, Setting, boot_of, put_back
from secboot.errors import RefusedError
from secboot.ipl.reboot import choosing_none, chosen_number
from secboot.running.firmware import REIPL

if TYPE_CHECKING:
    from secboot.apply.change import ManagedRoot
    from secboot.checkpoint.record import Checkpoint
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan, TrialPlan
    from secboot.running.firmware import IplSource


def settings_of(plan: Plan) -> tuple[Setting, ...]:
    """Return what makes a reboot start the entry of a trial, or stops that when it is confirmed.

    The former counts only when zipl has written the entry, the latter comes before that is gone.
    """
    trial, confirms = plan.trial, plan.confirms
    if trial is not None and trial.setting is not None and trial.before != trial.after:
        return (Setting(trial.setting, trial.before, trial.after, Moment.LAST),)
    if confirms is not None and confirms.setting is not None:
        return (Setting(confirms.setting, confirms.before, confirms.after, Moment.FIRST),)
    return ()


def setting_to_take_back(
    checkpoint: Checkpoint, trial: Trial, source: IplSource | None
) -> Setting | None:
    """Return what keeps a reboot from the entry of a trial that is to vanish; None for nothing.

    A setting that chooses another entry stays, whoever made it. One that chooses this one is taken back
    even if somebody else made it, by a LOAD with LOADPARM for example: a reboot would not come up.
    """
    if source is None or chosen_number(source) != trial.number:
        return None
    name, value = choosing_none(source)
    path = f"{REIPL}/{source.type}/{name}"
    found = source.loadparm if name == "loadparm" else source.bootprog
    own = next((each for each in checkpoint.record.settings if each.path == path), None)
    if own is not None and own.after == found:
        value = own.before
    return None if value == found else Setting(path, found, value, Moment.FIRST)


def trial_record(trial: TrialPlan, managed: ManagedRoot) -> Trial:
    """Return what the checkpoint remembers of a trial."""
    return Trial(
        entry=trial.entry,
        number=trial.number,
        line=trial.line,
        default=trial.default,
        default_line=trial.default_line,
        profile_path=trial.profile.path,
        profile_text=trial.profile.text,
        boot=boot_of(managed.root) if managed.is_running else "",
    )


def require_numbered(trial: TrialPlan, layout: Layout, machine: Machine, *, ran: bool) -> None:
    """Raise RefusedError where something else has the number of a trial, by the files or the record.

    A record from before zipl `ran`, or one that can't be read, says nothing: then the model of zipl is
    all there is to go by.
    """
    entries = machine.configuration.to_install
    entry = next((each for each in entries if each.entry.name == trial.entry), None)
    if entry is None or entry.position != trial.number:
        raise RefusedError(
            f"the boot entry of the trial has not the number {trial.number} of the boot menu any more",
            hint="boot entries came or went meanwhile: try again",
        )
    if not ran:
        return
    record = layout.next_ipl_of(machine)
    if record.record.bootmap is None:
        return
    found = next((c for c in record.choices if c.loadparm == str(trial.number)), None)
    if found is None or found.line is None or found.line.strip() != trial.line.strip():
        what = "nothing" if found is None else f"'{found.line}'"
        raise RefusedError(
            f"zipl wrote {what} under number {trial.number} of the boot menu, and not the entry of"
            " the trial"
        )


def let_go(managed: ManagedRoot, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Put back the re-IPL settings of a trial whose entry got another number; return their paths.

    The number that they choose is that of another entry by now, or of none.
    """
    with managed.write_access() as access:
        managed.recover(access)
        return put_back(managed.root, checkpoint.record.settings, Moment.LAST).restored
