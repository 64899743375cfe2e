"""What a rollback would do, as text or JSON (``secboot/rollback-plan/1``)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from secboot.apply.rollback_plan import BootRecordStep
from secboot.apply.undoing import NO_WORDS
from secboot.formats.text import decoded
from secboot.invocation import Invocation
from secboot.layout.layout import ZIPL
from secboot.report.diff import unified_diff
from secboot.report.plan import commands_intro, diff_text, file_documents
from secboot.report.style import counted, finding_text
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.apply.next_default import NextDefault
    from secboot.apply.rollback_plan import RollbackPlan, UndoneChange
    from secboot.report.style import Style
    from secboot.system.files import FileChange

SCHEMA = "secboot/rollback-plan/1"

_WORDS = re.compile(r"[^\s\"']+")
_NAMED = 6
"""How many added and removed words are shown; a diff shows more of them better."""


def rollback_plan_document(plan: RollbackPlan) -> dict[str, object]:
    """Return the plan as a JSON document; bytes are written in base64."""
    from secboot.codec import document

    return {
        **document(SCHEMA, plan, changes=not plan.is_empty),
        "files": file_documents(plan.files),
        "taken_along": file_documents(plan.taken_along),
    }


def rollback_plan_text(
    plan: RollbackPlan, style: Style, *, diffs: bool, acting: bool = False
) -> str:
    """Return the plan as text that ends with a newline; without its `refusal`, which is an error.

    A plan that is `acting` is being followed: its result is reported afterwards.
    """
    lines = list(_heading(plan, style))
    files = list(_files(plan, style))
    lines += ["", *files] if files else []
    if diffs:
        for change in plan.changes:
            lines += ["", *diff_text(unified_diff(change, ("now", "restored")), style)]
    if plan.warnings:
        lines += ["", *(finding_text(each, style) for each in plan.warnings)]
    lines += ["", style.bold(_summary(plan))]
    if plan.refusal is None and not acting:
        lines += _boot_record(plan, style)
        lines += _rest(plan, style)
    return "\n".join(lines) + "\n"


def next_default_text(found: NextDefault, when: str, style: Style) -> Iterator[str]:
    """Yield what starts next, with the parameters of the change; `when` begins the sentence."""
    if not found.parameters:
        return
    absent = tuple(word for word in found.parameters if word.startswith(NO_WORDS))
    given = [visible(word) for word in found.parameters if word not in absent]
    parts = [f"with {' '.join(given)}"] if given else []
    words = " and ".join((*parts, *map(visible, absent)))
    if found.inherited:
        text = f"{when} starts this entry by default, still {words}:"
        yield from map(style.yellow, style.filled(text))
    else:
        yield from style.filled(f"{when} starts this entry by default, {words}:")
    yield f"  {visible(found.title)}"


def _heading(plan: RollbackPlan, style: Style) -> Iterator[str]:
    rows = {"Machine": visible(plan.root)}
    if plan.undoes is not None:
        rows = {"Rollback": _named(plan.undoes), **rows}
    if plan.unfinished is not None:
        first = "; it is recovered first" if plan.undoes is not None else ""
        rows = {"Unfinished": f"{_named(plan.unfinished)}{first}", **rows}
    width = max(map(len, rows))
    for name, text in rows.items():
        yield from style.labelled(name, text, width + 2)


def _named(change: UndoneChange) -> str:
    return f"checkpoint {change.checkpoint}: {visible(change.what)}"


def _files(plan: RollbackPlan, style: Style) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for file in plan.files:
        groups.setdefault(_undone(file, style), []).append(visible(file.path))
    for undone, names in groups.items():
        yield from _alike(undone, names, style)
    for change in plan.taken_along:
        yield f"{style.yellow('Change')} {style.bold(visible(change.path))}"
        yield "  added since; inherited the change"
    for setting in plan.settings:
        values = f"'{visible(setting.before)}' -> '{visible(setting.after)}'"
        yield f"{style.yellow('Set')} {style.bold(visible(setting.path))}: {values}"
    left_alone = {
        "added since; keeps the change that it inherited": plan.left_new,
        "removed since, or its kernel was; not restored": plan.gone,
        "changed since; not restored": plan.left,
    }
    for why, paths in left_alone.items():
        for path in paths:
            yield f"Skipped: {visible(path)}"
            yield f"  {style.yellow(why)}"
    for path in plan.conflicts:
        yield f"{style.red('Conflict:')} {visible(path)}"
        yield f"  {style.red('changed since: --keep leaves it, --force overwrites it')}"


def _alike(undone: str, paths: list[str], style: Style) -> Iterator[str]:
    """Yield what happens to files with the same change, once for all of them."""
    action, _, words = undone.partition(": ")
    end = f": {words}" if words else ""
    if len(paths) == 1 and not words:
        yield f"{action} {style.bold(paths[0])}"
        return
    yield f"{action} {style.bold(counted(len(paths), 'file'))}{end}"
    for path in paths:
        yield f"    {path}"


def _undone(change: FileChange, style: Style) -> str:
    """Return what happens to a file, such as ``Restore: - prot_virt=1``."""
    if change.before is None:
        return style.green("Recreate")
    if change.after is None:
        return style.red("Remove")
    before, after = (
        Counter(_WORDS.findall(decoded(data))) for data in (change.before, change.after)
    )
    gone, come = [*before - after], [*after - before]
    action = style.yellow("Restore")
    if (not gone and not come) or len(gone) + len(come) > _NAMED:
        return action
    old, new = visible(" ".join(gone)), visible(" ".join(come))
    if not come:
        return f"{action}: {style.red(f'- {old}')}"
    return f"{action}: {style.yellow(f'{old} -> {new}') if gone else style.green(f'+ {new}')}"


def _summary(plan: RollbackPlan) -> str:
    parts = []
    removed = sum(change.after is None for change in plan.files)
    if len(plan.files) - removed:
        parts.append(f"{counted(len(plan.files) - removed, 'file')} to restore")
    if removed:
        parts.append(f"{counted(removed, 'file')} to remove")
    if plan.taken_along:
        many = counted(len(plan.taken_along), "boot entry", "boot entries")
        parts.append(f"{many} added since to change")
    if plan.settings:
        parts.append(f"{counted(len(plan.settings), 'setting')} to restore")
    left = len(plan.left_new) + len(plan.gone) + len(plan.left)
    if left:
        parts.append(f"{left} skipped")
    if plan.conflicts:
        parts.append(counted(len(plan.conflicts), "conflict"))
    if not parts:
        return "No files to restore."
    return f"Rollback: {', '.join(parts)}."


def _boot_record(plan: RollbackPlan, style: Style) -> Iterator[str]:
    if plan.boot_record is not BootRecordStep.NOT_NEEDED and plan.programs:
        words = Invocation.on(plan.root).of_programs(plan.programs)
        intro = commands_intro(runs=plan.boot_record is BootRecordStep.WRITTEN)
        command = visible(words)
        yield from style.filled(f"{intro} {command}: {ZIPL.reason}.", whole=command)


def _rest(plan: RollbackPlan, style: Style) -> Iterator[str]:
    if plan.unfinished is not None and plan.undoes is not None:
        yield f"Only then can secboot plan the rollback of checkpoint {plan.undoes.checkpoint}."
    if plan.next_default is not None:
        yield from next_default_text(plan.next_default, "The next IPL then", style)
