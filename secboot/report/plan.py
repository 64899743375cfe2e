"""A plan: as text what changes in each boot entry and why, as JSON all of it (``secboot/plan/1``).

The document holds all that the text has, and the new content of each file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.invocation import Invocation
from secboot.lines.changes import ParameterAction, StoreStatus
from secboot.plan.plan import EntryStatus
from secboot.report.diff import unified_diff
from secboot.report.style import counted, finding_text
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.lines.changes import ParameterChange, StorePlan
    from secboot.plan.plan import EntryPlan, Plan
    from secboot.report.style import Style

SCHEMA = "secboot/plan/1"

_MARKS = {
    EntryStatus.ADD: "+",
    EntryStatus.REMOVE: "x",
    EntryStatus.CHANGE: "~",
    EntryStatus.UNCHANGED: "=",
    EntryStatus.NOT_SELECTED: "-",
    EntryStatus.NOT_LINUX: "-",
    EntryStatus.SEALED: "!",
    EntryStatus.GENERATED: ">",
}
_STORE_MARKS = {
    EntryStatus.ADD: "+",
    StoreStatus.CHANGE: "~",
    StoreStatus.UNCHANGED: "=",
    StoreStatus.NOT_SELECTED: "-",
    StoreStatus.NONE: "?",
}
_ACTION_MARKS = {
    EntryStatus.ADD: "+",
    ParameterAction.ADD: "+",
    ParameterAction.CHANGE: "~",
    ParameterAction.REMOVE: "-",
    ParameterAction.KEEP: "=",
}


def plan_text(plan: Plan, style: Style, *, diffs: bool) -> str:
    """Return the plan as text that ends with a newline."""
    lines = list(_heading(plan, style))
    for entry in plan.entries:
        lines += ["", *_entry(entry, style)]
    for store in plan.stores:
        lines += ["", *_store(store, style)]
    if diffs:
        for change in plan.files:
            lines += ["", *(_diff_line(line, style) for line in unified_diff(change))]
    if plan.warnings:
        lines.append("")
    lines += [finding_text(warning, style) for warning in plan.warnings]
    lines += [*_steps(plan, style), "", summary(plan, style)]
    if plan.refusal is None:
        lines += _commands(plan, style)
        lines += _settings(plan, style)
    return "\n".join(lines) + "\n"


def plan_document(plan: Plan) -> dict[str, object]:
    """Return the plan as a JSON document; bytes are written in base64."""
    from secboot.codec import document, fields

    files = [
        {
            **fields(change),
            "digest_before": change.digest_before,
            "digest_after": change.digest_after,
            "diff": list(unified_diff(change)),
        }
        for change in plan.files
    ]
    return {**document(SCHEMA, plan, changes=not plan.is_empty), "files": files}


def summary(plan: Plan, style: Style) -> str:
    """Return the one line that says how much the plan changes."""
    changed = len(plan.with_status(EntryStatus.CHANGE))
    unchanged = len(plan.with_status(EntryStatus.UNCHANGED))
    added = len(plan.with_status(EntryStatus.ADD))
    removed = len(plan.with_status(EntryStatus.REMOVE))
    skipped = len(plan.entries) - changed - unchanged - added - removed
    parts = [
        f"{counted(changed, 'boot entry', 'boot entries')} to change",
        f"{unchanged} unchanged",
    ]
    generated = len(plan.with_status(EntryStatus.GENERATED))
    skipped -= generated
    if generated:
        parts = [f"{counted(generated, 'boot entry', 'boot entries')} generated"]
    if added:
        parts.insert(0, f"{counted(added, 'boot entry', 'boot entries')} to add")
    if removed:
        parts.append(f"{removed} to remove")
    if skipped:
        parts.append(f"{skipped} left alone")
    text = f"Plan: {', '.join(parts)}; {counted(len(plan.files), 'file')} to write."
    if not plan.entries and plan.parmfile is not None:
        text = f"Plan: {counted(len(plan.files), 'file')} to write."
    if plan.profile is None:
        parts = [f"{counted(added, 'boot entry', 'boot entries')} to add"]
        text = f"Plan: {parts[0]}; {counted(len(plan.files), 'file')} to write."
    if plan.before_kernel:
        parts = ["", "there is no boot entry yet"]
        text = f"Plan: {counted(len(plan.files), 'file')} to write, for kernels installed later."
    if plan.refusal is not None:
        text = f"Nothing that secboot may change: {plan.refusal}."
    elif plan.is_empty:
        parts = parts[1:] if parts[1:] and not generated else parts
        text = f"No changes. {', '.join(parts)}."
    return style.bold(text)


def _heading(plan: Plan, style: Style) -> Iterator[str]:
    profile = plan.profile
    if profile is not None:
        yield f"{style.bold('Profile')}  {visible(profile.name)} ({visible(profile.path)})"
    if profile is not None and profile.description:
        yield f"         {visible(profile.description)}"
    yield f"{style.bold('Machine')}  {visible(plan.root)}, {plan.layout}; read as zipl {plan.zipl_version} does"


def _entry(entry: EntryPlan, style: Style) -> Iterator[str]:
    mark = _MARKS[entry.status]
    name = visible(entry.name)
    tags = {entry.kind: entry.kind != "ipl", "default": entry.default, "rescue": entry.rescue}
    painted = style.yellow(mark) if entry.status is EntryStatus.CHANGE else mark
    painted = style.green(mark) if entry.status is EntryStatus.ADD else painted
    painted = style.red(mark) if entry.status is EntryStatus.REMOVE else painted
    yield f"{painted} {style.bold(name)}{style.tags(tags)}"
    yield style.faint(f"    {visible(str(entry.location))}")
    if entry.note:
        yield f"    {visible(entry.note)}"
    for change in entry.parameters:
        yield from _parameter(change, style)


def _store(store: StorePlan, style: Style) -> Iterator[str]:
    mark = _STORE_MARKS[store.status]
    painted = style.yellow(mark) if store.status is StoreStatus.CHANGE else mark
    yield f"{painted} {style.bold(store.name)}"
    if store.location is not None:
        yield style.faint(f"    {visible(str(store.location))}")
    if store.note:
        note = visible(store.note)
        yield f"    {style.yellow(note) if store.met is False else note}"
    for change in store.parameters:
        yield from _parameter(change, style)


def _parameter(change: ParameterChange, style: Style) -> Iterator[str]:
    before = visible(" ".join(change.before))
    after = visible(" ".join(change.after))
    mark = _ACTION_MARKS[change.action]
    text = {
        ParameterAction.ADD: style.green(f"{mark} {after}"),
        ParameterAction.REMOVE: style.red(f"{mark} {before}"),
        ParameterAction.CHANGE: style.yellow(f"{mark} {before} -> {after}"),
        ParameterAction.KEEP: f"{mark} {before or change.name}",
    }[change.action]
    yield f"    {text}"
    yield style.faint(f"      {visible(change.reason)}")


def _diff_line(line: str, style: Style) -> str:
    if line.startswith(("---", "+++")):
        return style.bold(line)
    if line.startswith("+"):
        return style.green(line)
    if line.startswith("-"):
        return style.red(line)
    return style.faint(line) if line.startswith("@@") else line


def _steps(plan: Plan, style: Style) -> Iterator[str]:
    for step in plan.steps:
        yield ""
        yield f"{style.bold(visible(step.title[:1].upper() + step.title[1:]))}:"
        for line in step.lines:
            yield f"  {visible(line)}"


def _settings(plan: Plan, style: Style) -> Iterator[str]:
    """Say what becomes of the re-IPL setting that chooses the boot entry of a trial."""
    trial, confirms = plan.trial, plan.confirms
    if trial is not None and trial.setting is not None:
        words = f"{trial.setting}: '{trial.before}' -> '{trial.after}'"
        yield f"Then set {style.bold(visible(words))}; the next `reboot` starts the trial."
    if confirms is not None and confirms.setting is not None:
        words = f"{confirms.setting}: '{confirms.before}' -> '{confirms.after}'"
        yield f"Before all of that set {style.bold(visible(words))}; a reboot starts the default."


def _commands(plan: Plan, style: Style) -> Iterator[str]:
    invocation = Invocation.on(plan.root)
    for command in plan.commands:
        words = invocation.of_programs((command.argv,))
        yield f"Then run {style.bold(visible(words))}: {visible(command.reason)}."
