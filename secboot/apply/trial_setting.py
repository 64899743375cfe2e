"""The parts of a trial other than its boot entry: the re-IPL setting, the record, the check of zipl's result."""

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
    """Return the settings that make a reboot start the trial's boot entry, or stop that on confirmation.

    The former are written after zipl has written the entry, the latter before the entry is removed.
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
    """Return the setting that keeps a reboot from starting a trial's boot entry, which is removed; or None.

    A setting that chooses another entry stays, whoever made it. One that chooses this entry is taken back
    even if something else made it, for example a LOAD with LOADPARM: otherwise a reboot would not boot.
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
    """Return what the checkpoint records about a trial."""
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
    """Raise RefusedError if something else has the trial's number, by the files or the boot record.

    A record from before zipl `ran`, or one that cannot be read, is ignored: then only the model of zipl
    decides.
    """
    entries = machine.configuration.to_install
    entry = next((each for each in entries if each.entry.name == trial.entry), None)
    if entry is None or entry.position != trial.number:
        raise RefusedError(
            f"the boot entry of the trial no longer has number {trial.number} in the boot menu",
            hint="boot entries were added or removed meanwhile: try again",
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
            f"zipl wrote {what} as number {trial.number} of the boot menu instead of the boot entry of"
            " the trial"
        )


def let_go(managed: ManagedRoot, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Restore the re-IPL settings of a trial whose entry has a new number; return their paths.

    The number that they choose now belongs to another entry, or to none.
    """
    with managed.write_access() as access:
        managed.recover(access)
        return put_back(managed.root, checkpoint.record.settings, Moment.LAST).restored
