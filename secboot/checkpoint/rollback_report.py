"""What the rollback of a change did, and in which state it leaves the machine.

The sentences are the last line of a failure (`secboot.errors.Ledger`), so each says what must not be done
until the machine can be IPLed safely.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.checkpoint.settings import SettingOutcomes
from secboot.checkpoint.store import BEFORE
from secboot.errors import MachineState, StateKind
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.changed_files import FileOutcomes
    from secboot.checkpoint.record import Checkpoint


class BootRecordOutcome(StrEnum):
    """What a rollback did with the boot record."""

    UNTOUCHED = "untouched"
    """zipl had not been run since the files were changed."""
    WRITTEN = "written"
    """zipl was run again, on the old files."""
    PENDING = "pending"
    """zipl may have been run on the new files, and could not be run again here."""
    KEPT = "kept"
    """zipl refuses the old files, as it did before the change, so the boot record stays as it is."""


class RollbackReport(NamedTuple):
    """What the rollback of a change did."""

    files: FileOutcomes
    boot_record: BootRecordOutcome
    settings: SettingOutcomes = SettingOutcomes()

    @property
    def changed_anything(self) -> bool:
        """Whether anything was restored, or failed to be."""
        return bool(
            self.files.restored
            or self.files.removed
            or self.files.remaining
            or self.settings.restored
            or self.boot_record is not BootRecordOutcome.UNTOUCHED
        )

    @property
    def is_partial(self) -> bool:
        """Whether something is not as before, because it was changed or removed meanwhile."""
        return bool(self.files.remaining or self.files.gone or self.settings.left)


def state_after(report: RollbackReport, access: WriteAccess) -> MachineState:
    """Return the state of the machine after a change was rolled back."""
    if not report.changed_anything and not report.is_partial:
        return MachineState(StateKind.UNCHANGED, "No file had been changed.")
    all_files = "All other files" if report.is_partial else "All files"
    who = access.writer
    has = "have" if " and " in who else "has"
    run = access.by_hand or who
    as_before = "" if report.is_partial else ": the machine is as before"
    sentence = {
        BootRecordOutcome.UNTOUCHED: f"{all_files} are restored, and {who} had not run{as_before}.",
        BootRecordOutcome.WRITTEN: f"{all_files} are restored and {who} {has} run on them{as_before}.",
        BootRecordOutcome.PENDING: f"{all_files} are restored, but the boot record may not match"
        f" them: run `{run}` before the next IPL.",
        BootRecordOutcome.KEPT: f"{all_files} are restored. {who} refuses them, as before the"
        " change, and left the boot record as it is.",
    }[report.boot_record]
    if report.boot_record is BootRecordOutcome.PENDING:
        return MachineState(StateKind.ZIPL_DUE, sentence)
    return MachineState(
        StateKind.PARTLY_RESTORED if report.is_partial else StateKind.RESTORED, sentence
    )


def details_after(report: RollbackReport, checkpoint: Checkpoint) -> Iterator[str]:
    """Yield what is not as before, and where the old content is; nothing if everything is."""
    files = report.files
    if files.left:
        yield f"changed by another program meanwhile, and left as it is: {_shown(files.left)}"
    for each in files.failed:
        yield f"NOT restored: {each.error}"
    if files.gone:
        yield f"removed by another program meanwhile, and not restored: {_shown(files.gone)}"
    if report.settings.left:
        yield f"changed by another program meanwhile, and left as it is: {_shown(report.settings.left)}"
    if files.remaining:
        yield f"the old content is in {visible(checkpoint.shown)}/{BEFORE}"


def state_in_between(access: WriteAccess) -> MachineState:
    """Return the state while files are being replaced or restored, for a failure in between."""
    again = access.invocation.command("rollback")
    return MachineState(
        StateKind.NOT_RESTORED,
        f"The change is neither complete nor undone: do not re-IPL before `{again}` has succeeded.",
    )


def state_when_stuck(access: WriteAccess, *, files_restored: bool) -> MachineState:
    """Return the state after a failed rollback; with `files_restored` only the boot record is missing."""
    if files_restored:
        return state_when_zipl_failed(access, "The files are restored")
    who = access.writer
    has = "have" if " and " in who else "has"
    return MachineState(
        StateKind.NOT_RESTORED,
        "ROLLBACK FAILED: do not re-IPL before the files are restored and"
        f" {who} {has} run on them.",
    )


def state_when_zipl_failed(access: WriteAccess, files: str) -> MachineState:
    """Return the state if zipl fails; `files` says in which state the files are."""
    who = access.writer
    has = "have" if " and " in who else "has"
    return MachineState(
        StateKind.ZIPL_DUE,
        f"{files}, but {who} failed: do not re-IPL before {who} {has} succeeded.",
    )


def state_after_recovery(checkpoint: Checkpoint, state: MachineState) -> MachineState:
    """Return the state after an interrupted change was rolled back and nothing else was done."""
    first, rest = state.sentence[0].lower(), state.sentence[1:]
    return state._replace(
        sentence=f"Only an earlier, interrupted change ({checkpoint.id}) was rolled back:"
        f" {first}{rest}"
    )


def state_when_done(access: WriteAccess, *, pending: bool) -> MachineState:
    """Return the state when the change is complete; `pending` says that zipl must still run."""
    sentence = "The change was made and stands; only its report is missing."
    if pending:
        sentence += f" Run `{access.by_hand or access.writer}` before the next IPL."
    return MachineState(StateKind.CHANGED, sentence)


def _shown(paths: Sequence[str]) -> str:
    return ", ".join(map(visible, paths))
