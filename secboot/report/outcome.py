"""What an apply or a rollback did, as text or JSON (``secboot/apply/2``, ``secboot/rollback/2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.checkpoint.rollback_report import details_after
from secboot.codec import fields
from secboot.plan.plan import EntryStatus
from secboot.report.plan import is_kept, plan_document
from secboot.report.rollback_plan import next_default_text, rollback_plan_document
from secboot.report.style import counted, finding_text
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.apply.apply import ApplyResult
    from secboot.apply.change import Meanwhile
    from secboot.apply.repairing import RepairResult
    from secboot.apply.rollback import RollbackResult
    from secboot.apply.zipl import ZiplRun
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.finding import Finding
    from secboot.invocation import Invocation
    from secboot.plan.plan import Plan, TrialPlan
    from secboot.report.style import Style

APPLY_SCHEMA = "secboot/apply/2"
INIT_SCHEMA = "secboot/init/1"
ROLLBACK_SCHEMA = "secboot/rollback/2"


_OUT_OF_DATE = "Boot record not updated"


def apply_text(result: ApplyResult, invocation: Invocation, style: Style) -> str:
    """Return what to report after an apply; its plan has been shown before."""
    record = "No boot record yet" if result.plan.profile is None else _OUT_OF_DATE
    lines = list(change_lines(result, invocation, style, record))
    wanted = "the requested parameters" if invocation.words else "the profile"
    matches = f"No changes: already matches {wanted}."
    rebuilt = [each for each in result.plan.with_status(EntryStatus.SEALED) if not is_kept(each)]
    due = bool(rebuilt) or result.plan.image_due is not None
    if lines and result.checkpoint is None and not result.recovered and _is_fulfilled(result.plan):
        lines.insert(0, "No files to write." if due else matches)
    if result.plan.trial is not None:
        lines += trial_text(result.plan.trial, invocation, style)
    if result.plan.confirms is not None and result.checkpoint is not None:
        done = "the parameters are set in" if invocation.words else "the profile is applied to"
        lines += style.filled(
            f"The trial of checkpoint {result.plan.confirms.checkpoint} is confirmed: {done} all"
            " selected boot entries, and the trial's boot entry is removed."
        )
    if result.meanwhile.came and result.plan.trial is None and result.plan.profile is not None:
        what = "Set the parameters in" if invocation.words else "Apply the profile to"
        lines.append(f"{what} them, too: {visible(invocation.for_profile('apply'))}")
    if not lines:
        # The plan was not shown, but it may have a warning that a reboot starts something else.
        done = matches
        if result.plan.before_kernel:
            known = all(store.met for store in result.plan.stores)
            done = (
                f"No changes: future kernels will match {wanted}."
                if known
                else "No changes until a kernel is installed: the profile is active."
            )
        lines.append("No files to write." if due else done)
        lines += [finding_text(each, style) for each in _of_the_next_start(result.plan)]
    plan = visible(invocation.for_profile("plan")) if due else ""
    if result.plan.image_due is not None:
        lines += _advised(f"The image must be built: {visible(result.plan.image_due)}", plan, style)
    if rebuilt and result.plan.image_due is None:
        names = ", ".join(f"'{visible(entry.name)}'" for entry in rebuilt)
        text = f"Not changed without a rebuild of the Secure Execution image: {names}"
        lines += _advised(text, plan, style)
    return "\n".join(lines) + "\n"


def _advised(text: str, command: str, style: Style) -> list[str]:
    """Return a warning and the command that shows more, on a line of its own unless both fit."""
    if style.fits(f"{text} (see {command})."):
        return [f"{style.yellow(text)} (see {command})."]
    return [*map(style.yellow, style.filled(f"{text}. See:")), f"  {command}"]


def _is_fulfilled(plan: Plan) -> bool:
    """Whether the boot files needed no change, so that only a boot record can be due."""
    is_profile = plan.profile is not None and plan.trial is None and plan.confirms is None
    return is_profile and not plan.files and plan.refusal is None and not plan.before_kernel


def change_lines(
    result: ApplyResult | RepairResult,
    invocation: Invocation,
    style: Style,
    record: str = _OUT_OF_DATE,
) -> Iterator[str]:
    """Yield what was written, who wrote the boot record, and what other programs did meanwhile.

    `record` describes the boot record as long as zipl has not run.
    """
    yield from recovered_lines(result.recovered, style)
    if result.checkpoint is not None:
        runs_zipl = result.zipl is not None or invocation.root is None
        options = result.undoing if runs_zipl else ()
        undo = invocation.command("rollback", result.checkpoint, *options)
        yield (
            style.green(f"Wrote {counted(len(result.plan.files), 'file')}.")
            + f" Undo with: {visible(undo)}"
        )
    yield from _commit(result, invocation, style, record)
    yield from _meanwhile(result.meanwhile, style)


def change_document(result: ApplyResult | RepairResult, *, pending: bool) -> dict[str, Any]:
    """Return the same for programs; `pending` says that zipl must still be run."""
    return {
        "changed": result.checkpoint is not None or result.zipl is not None,
        "checkpoint": result.checkpoint,
        "zipl": _zipl_document(result.zipl, pending=pending),
        "reboot_required": result.zipl is not None,
        "meanwhile": fields(result.meanwhile),
        "recovered": [_recovered_document(report) for report in result.recovered],
    }


def _of_the_next_start(plan: Plan) -> list[Finding]:
    """The warnings about what the next IPL or reboot starts, which no plan changes."""
    if not plan.warnings:
        return []
    from secboot.ipl.reboot_advice import OF_THE_REBOOT
    from secboot.zipl.refusal import ABOUT_OTHER_FILES

    codes = OF_THE_REBOOT | ABOUT_OTHER_FILES
    others = [each for each in plan.warnings if each.code in codes]
    return [*others, *of_secure_guest(plan.warnings)]


def of_secure_guest(warnings: Iterable[Finding]) -> list[Finding]:
    """Return the findings on whether a guest stays in Secure Execution, and on which kernel."""
    from secboot.ipl.secure_execution import OF_THE_SECURE_GUEST

    return [each for each in warnings if each.code in OF_THE_SECURE_GUEST]


def done_text(result: ApplyResult | RepairResult | RollbackResult) -> str:
    """Return in one clause what a command did to the machine; empty if it changed nothing."""
    done = []
    if result.checkpoint is not None:
        done.append(f"the files were changed (checkpoint {result.checkpoint})")
    elif result.recovered:
        done.append("an unfinished change was rolled back")
    if result.zipl is not None:
        done.append("the boot record was written")
    elif done and result.zipl_pending:
        done.append("zipl must still be run")
    return " and ".join(done)


def trial_text(trial: TrialPlan, invocation: Invocation, style: Style) -> Iterator[str]:
    """Yield what starts the entry of a trial, what does not, and how to end the trial."""
    default, number = visible(trial.default), trial.number
    what = "LOADPARM" if trial.setting is None or "loadparm" in trial.setting else "boot program"
    title = f"Trial: boot entry {number}, '{visible(trial.entry)}'"
    yield from map(style.bold, style.filled(title, "", "  "))
    if trial.setting is None:
        text = f"A LOAD with LOADPARM {number} starts it; without, the default entry '{default}'."
        yield from style.filled(text, "  ", "  ")
    else:
        yield f"  The next `reboot` starts it: {what} in the re-IPL settings is now {trial.after}."
        text = (
            "A LOAD from the HMC, virsh or QEMU without LOADPARM starts the default entry as"
            f" before, '{default}'."
        )
        yield from style.filled(text, "  ", "  ")
    yield f"  When it runs, make it permanent: {visible(invocation.command('confirm'))}"
    yield f"  Drop it at any time:             {visible(invocation.command('rollback'))}"
    yield "  Drop it without secboot:"
    yield from (f"    {visible(each)}" for each in trial.back)


def apply_document(result: ApplyResult) -> dict[str, Any]:
    """Return an apply's result with its plan as a JSON document."""
    return {
        "schema": APPLY_SCHEMA if result.plan.profile is not None else INIT_SCHEMA,
        **change_document(result, pending=result.zipl_pending),
        "plan": plan_document(result.plan),
    }


def rollback_text(result: RollbackResult, invocation: Invocation, style: Style) -> str:
    """Return what to report after a rollback."""
    lines = list(recovered_lines(result.recovered, style))
    if result.undone is not None:
        lines += _undone(result, result.undone, style)
    if result.is_first:
        lines.append("This was the first configuration. An existing boot record was not changed.")
    lines += _commit(result, invocation, style)
    if result.refused:
        text = "zipl refuses these files, so the boot record was not updated"
        lines += _advised(text, visible(invocation.command("check")), style)
    lines += _meanwhile(result.meanwhile, style)
    lines += _next_default(result, style)
    lines += _of_rolled_back_trial(result, invocation, style)
    return "\n".join(lines) + "\n"


def _undone(result: RollbackResult, undone: str, style: Style) -> Iterator[str]:
    partly = result.gone or result.left or result.left_new
    if not (result.files or result.taken_along or partly):
        yield f"No changes: the files are already as before checkpoint {undone}."
    elif not result.files:
        yield f"Rolled back checkpoint {undone}: no file had to be restored."
    elif partly:
        restored = counted(len(result.files), "file")
        yield style.green(f"Rolled back checkpoint {undone}: {restored} restored.")
    else:
        yield style.green(f"Restored the state before checkpoint {undone}.")
    lists = {
        "Boot entries added since, which no longer inherit the change:": result.taken_along,
        style.yellow("Boot entries added since, which keep the change:"): result.left_new,
        style.yellow("Removed since (or their kernels), not restored:"): result.gone,
        style.yellow("Changed since, not restored:"): result.left,
    }
    for title, paths in lists.items():
        if paths:
            yield title
            yield from _listed(paths)


def _of_rolled_back_trial(
    result: RollbackResult, invocation: Invocation, style: Style
) -> Iterator[str]:
    """Yield what is left of a trial: nothing, or its boot entry if a confirmation was undone."""
    if result.trial is not None:
        text = f"The trial '{visible(result.trial.entry)}' is dropped."
        yield from map(style.green, style.filled(text))
        for path in result.settings:
            text = f"{visible(path)} is restored: a reboot no longer starts the trial."
            yield from style.filled(text)
    if result.confirmed is not None:
        text = (
            f"The boot entry of the trial (checkpoint {result.confirmed}) is back, and nothing starts"
            " it automatically."
        )
        yield from map(style.yellow, style.filled(text))
        yield f"Drop it, too: {visible(invocation.command('rollback'))}"


def _meanwhile(meanwhile: Meanwhile, style: Style) -> Iterator[str]:
    """Yield what other programs did to boot files during the change, which left that alone."""
    lists = {
        "Removed by another program meanwhile:": meanwhile.gone,
        "Added by another program meanwhile:": meanwhile.came,
        "Changed by another program meanwhile, and kept so:": meanwhile.edited,
    }
    for title, paths in lists.items():
        if paths:
            yield style.yellow(title)
            yield from _listed(paths)


def _listed(paths: tuple[str, ...]) -> Iterator[str]:
    return (f"  {visible(path)}" for path in paths)


def _next_default(result: RollbackResult, style: Style) -> Iterator[str]:
    if result.undone is not None and result.next is not None:
        when = "After that, an IPL" if result.zipl_pending else "The next IPL"
        yield from next_default_text(result.next, when, style)


def rollback_document(result: RollbackResult) -> dict[str, Any]:
    """Return a rollback's result as a JSON document."""
    return {
        "schema": ROLLBACK_SCHEMA,
        "undone": result.undone,
        "files": list(result.files),
        "taken_along": list(result.taken_along),
        "left_new": list(result.left_new),
        "gone": list(result.gone),
        "left": list(result.left),
        "checkpoint": result.checkpoint,
        "zipl": _zipl_document(result.zipl, pending=result.zipl_pending),
        "next_default": None if result.next is None else fields(result.next),
        "settings": list(result.settings),
        "trial": None if result.trial is None else result.trial.entry,
        "confirmed": result.confirmed,
        "meanwhile": fields(result.meanwhile),
        "recovered": [_recovered_document(report) for report in result.recovered],
        "plan": None if result.plan is None else rollback_plan_document(result.plan),
    }


def recovered_lines(reports: tuple[RecoveryReport, ...], style: Style) -> Iterator[str]:
    """Yield for each interrupted change that it has been rolled back, and the state it left."""
    for report in reports:
        number = report.checkpoint.id
        yield style.yellow(
            f"An earlier change ({number}) was interrupted and has been rolled back."
        )
        yield from (f"  {line}" for line in details_after(report.rollback, report.checkpoint))
        yield from style.filled(report.state.sentence, "  ", "  ")


def _commit(
    result: ApplyResult | RepairResult | RollbackResult,
    invocation: Invocation,
    style: Style,
    record: str = _OUT_OF_DATE,
) -> Iterator[str]:
    """Yield whether the boot record was written, by zipl or by the programs that call it."""
    if result.zipl is not None:
        who = " and ".join(map(visible, result.zipl.programs))
        effect = "" if _of_trial(result) else " Takes effect at the next IPL."
        yield style.green(f"{who} wrote the boot record.") + effect
    elif result.zipl_pending:
        command = visible(invocation.of_programs(result.programs))
        first = "correct what zipl will refuse, then run" if _will_be_refused(result) else "run"
        text = f"{record}. {first.capitalize()} {command} before the next IPL."
        if style.fits(text):
            yield style.yellow(text)
        else:
            yield style.yellow(f"{record}. Before the next IPL, {first}:")
            yield f"  {command}"


def _will_be_refused(result: ApplyResult | RepairResult | RollbackResult) -> bool:
    """Whether the plan warns that zipl will refuse the result, as it does for missing boot files."""
    warnings = getattr(getattr(result, "plan", None), "warnings", ())
    if not warnings:
        return False
    from secboot.zipl.refusal import ABOUT_OTHER_FILES

    return any(each.code in ABOUT_OTHER_FILES for each in warnings)


def _of_trial(result: ApplyResult | RepairResult | RollbackResult) -> bool:
    """Whether the change is a trial, which no IPL starts by default."""
    plan = getattr(result, "plan", None)
    return getattr(result, "trial", None) is not None or getattr(plan, "trial", None) is not None


def _zipl_document(run: ZiplRun | None, *, pending: bool) -> dict[str, Any]:
    if run is not None:
        return {"state": "done", **run.facts()}
    return {"state": "pending" if pending else "not-needed"}


def _recovered_document(report: RecoveryReport) -> dict[str, Any]:
    return {
        "checkpoint": report.checkpoint.id,
        "state": report.checkpoint.state.value,
        "boot_record": report.rollback.boot_record.value,
    }
