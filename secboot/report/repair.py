"""Repairs of boot files, as text or JSON: what, why, and what is left (``secboot/repair/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.check import typed, without_zipl
from secboot.report.diff import unified_diff
from secboot.report.outcome import change_document, change_lines, recovered_lines
from secboot.report.plan import diff_text, file_documents
from secboot.report.style import counted, finding_text
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.apply.repairing import RepairResult
    from secboot.invocation import Invocation
    from secboot.repair.repair_plan import PlannedRepair, RepairedLine, RepairPlan, Unrepaired
    from secboot.report.style import Style

SCHEMA = "secboot/repair/1"
_LABELS = ("now", "repaired")


def repair_plan_text(plan: RepairPlan, invocation: Invocation, style: Style) -> str:
    """Return the repairs with their reasons, the parameter lines, the diff, and what is left."""
    lines: list[str] = []
    for repair in plan.repairs:
        lines += [*_repair(repair, style), ""]
    if plan.repairs:
        lines += [*_entries(plan, style), ""]
    for change in plan.files:
        lines += diff_text(unified_diff(change, _LABELS), style)
        lines.append("")
    for each in plan.left:
        lines += [*_left(each, invocation, style), ""]
    lines += map(style.bold, style.filled(_summary(plan)))
    if plan.leaves_secure_execution:
        lines.append(without_zipl(invocation, style))
    return "\n".join(lines) + "\n"


def repair_text(result: RepairResult, invocation: Invocation, style: Style) -> str:
    """Return what to report after the repair; its plan was shown before unless nothing was due."""
    lines = [] if result.checkpoint is None else list(change_lines(result, invocation, style))
    if result.checkpoint is None:
        lines += [*recovered_lines(result.recovered, style)]
        return "".join(f"{line}\n" for line in lines) + repair_plan_text(
            result.plan, invocation, style
        )
    return "\n".join(lines) + "\n"


def repair_document(result: RepairResult, *, dry_run: bool) -> dict[str, Any]:
    """Return the plan and its result as a JSON document."""
    from secboot.codec import fields

    plan = result.plan
    pending = result.checkpoint is not None and result.zipl_pending
    return {
        "schema": SCHEMA,
        "dry_run": dry_run,
        **change_document(result, pending=pending),
        "plan": {**fields(plan), "files": file_documents(plan.files, _LABELS)},
    }


def _repair(repair: PlannedRepair, style: Style) -> Iterator[str]:
    first = repair.findings[0]
    more = len(repair.findings) - 1
    counted_more = f" (and {more} more)" if more else ""
    yield finding_text(first._replace(hint=None), style, with_code=True) + counted_more
    first_line, *more_lines = style.filled(f"repair: {visible(repair.action)}", "    ", "      ")
    yield first_line.replace("repair", style.green("repair"), 1)
    yield from more_lines


def _entries(plan: RepairPlan, style: Style) -> Iterator[str]:
    yield style.bold("Parameter lines")
    for entry in plan.entries:
        yield from _entry(entry, style)


def _entry(entry: RepairedLine, style: Style) -> Iterator[str]:
    changes = entry.before != entry.after
    word = style.yellow("Change") if changes else "Unchanged:"
    yield f"{word} {style.bold(visible(entry.name))}{style.tags({'default': entry.default})}"
    if changes:
        yield f"    - {_shown(entry.before)}"
        yield f"    + {_shown(entry.after)}"
    else:
        yield f"      {_shown(entry.after)}"


def _shown(line: str | None) -> str:
    return "(none)" if line is None else visible(line)


def _left(left: Unrepaired, invocation: Invocation, style: Style) -> Iterator[str]:
    yield finding_text(typed(left.finding, invocation), style, with_code=True)
    first, *more = style.filled(f"not repaired: {visible(left.reason)}", "    ", "      ")
    yield first.replace("not repaired", style.yellow("not repaired"), 1)
    yield from more


def _summary(plan: RepairPlan) -> str:
    if plan.refusal is not None:
        return f"Nothing is written: {visible(plan.refusal)}."
    left = f", {len(plan.left)} not repaired" if plan.left else ""
    if not plan.repairs:
        verdict = "accepts" if plan.accepted else "refuses"
        return f"Nothing to repair{left}: zipl {plan.zipl_version} {verdict} the boot files."
    repairs, files = counted(len(plan.repairs), "repair"), counted(len(plan.files), "file")
    verdict = "accepts" if plan.accepted else "still refuses"
    return (
        f"Plan: {repairs}{left}; {files} to write. zipl {plan.zipl_version} {verdict} the result."
    )
