"""A plan: what changes in each boot entry and why, as text or JSON (schema ``secboot/plan/2``).

The document contains all of the text, and the new content of each file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.invocation import Invocation
from secboot.lines.changes import ParameterAction, StoreStatus
from secboot.plan.plan import EntryStatus
from secboot.report.diff import PLANNED, unified_diff
from secboot.report.style import PLAIN, counted, findings_text, together
from secboot.visible import visible
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.lines.changes import ParameterChange, StorePlan
    from secboot.plan.plan import EntryPlan, Plan
    from secboot.report.style import Style
    from secboot.system.files import FileChange

SCHEMA = "secboot/plan/2"

_WORDS = {
    EntryStatus.ADD: "Add",
    EntryStatus.REMOVE: "Remove",
    EntryStatus.CHANGE: "Change",
    EntryStatus.SEALED: "Rebuild the image of",
    EntryStatus.GENERATED: "Generated",
    EntryStatus.UNCHANGED: "Unchanged",
    EntryStatus.NOT_SELECTED: "Skipped",
    EntryStatus.NOT_LINUX: "Skipped",
}
"""What happens to a boot entry, in the order of the plan's text."""
_STORE_WORDS = {
    StoreStatus.CHANGE: "Change",
    StoreStatus.UNCHANGED: "Unchanged",
    StoreStatus.NOT_SELECTED: "Skipped",
    StoreStatus.NONE: "Not set here",
}
_QUIET = frozenset({EntryStatus.UNCHANGED, EntryStatus.NOT_SELECTED, EntryStatus.NOT_LINUX})
"""The statuses whose entries are not listed one by one if there are many."""
_COUNTED = {
    EntryStatus.ADD: "to add",
    EntryStatus.CHANGE: "to change",
    EntryStatus.GENERATED: "generated",
    EntryStatus.REMOVE: "to remove",
    EntryStatus.UNCHANGED: "unchanged",
    EntryStatus.SEALED: "skipped",
    EntryStatus.NOT_SELECTED: "skipped",
    EntryStatus.NOT_LINUX: "skipped",
}
_LABEL = 9
"""Columns of the labels at the start."""
_NAMED = 5
"""How many boot entries of a kind are listed, unless -v lists them all."""
_ALIKE = 3
"""From this many warnings of a kind on, some are omitted and counted."""


def plan_text(
    plan: Plan,
    style: Style,
    *,
    diffs: bool,
    every: bool = False,
    apply: str | None = None,
    acting: bool = False,
    runs: bool = False,
) -> str:
    """Return the plan as text that ends with a newline.

    Boot entries with the same changes are grouped, and each reason is given once. With `every`, all
    entries are listed with their locations. `apply` is the command that follows the plan, for the
    last line. A plan that is `acting` is being followed: the boot record is reported afterwards.
    With `runs`, secboot runs the plan's commands itself.
    """
    lines = list(_heading(plan, style))
    told: set[str] = set()
    for entries in _groups(plan):
        lines += ["", *_entries(entries, style, told, every=every)]
    for store in plan.stores:
        lines += ["", *_store(store, style, told)]
    if diffs:
        for change in plan.files:
            lines += ["", *diff_text(unified_diff(change), style)]
    if plan.warnings:
        lines.append("")
    lines += _warnings(plan, style, every=every)
    lines += [*_steps(plan, style), "", *summary(plan, style)]
    if plan.refusal is None:
        lines += () if acting else _commands(plan, style, runs=runs)
        lines += _settings(plan, style)
        if apply is not None and not plan.is_empty:
            lines.append(f"Next: {style.bold(visible(apply))}")
    return "\n".join(lines) + "\n"


def plan_document(plan: Plan) -> dict[str, object]:
    """Return the plan as a JSON document; bytes are written in base64."""
    from secboot.codec import document

    files = file_documents(plan.files)
    return {**document(SCHEMA, plan, changes=not plan.is_empty), "files": files}


def file_documents(
    changes: Iterable[FileChange], labels: tuple[str, str] = PLANNED
) -> list[dict[str, object]]:
    """Return the files that change as plans have them, with digests and a diff for people."""
    from secboot.codec import fields

    return [
        {
            **fields(change),
            "digest_before": change.digest_before,
            "digest_after": change.digest_after,
            "diff": list(unified_diff(change, labels)),
        }
        for change in changes
    ]


def diff_text(diff: Iterable[str], style: Style) -> list[str]:
    """Return a diff's lines in colour."""
    return [_diff_line(line, style) for line in diff]


def summary(plan: Plan, style: Style) -> list[str]:
    """Return how much the plan changes, on one line if it fits."""
    entries, files = _counts(plan), f"{counted(len(plan.files), 'file')} to write"
    if plan.refusal is not None:
        text = f"secboot cannot change this system: {plan.refusal}."
    elif plan.is_empty:
        what = "there is no boot entry yet" if plan.before_kernel else entries
        text = f"No changes. {what[:1].upper()}{what[1:]}." if what else "No changes."
    elif plan.before_kernel:
        text = f"Plan: {files}, for future kernels."
    else:
        text = f"Plan: {'; '.join(filter(None, (entries, files if plan.files else '')))}."
    return [style.bold(line) for line in style.filled(text)]


def _counts(plan: Plan) -> str:
    """How many boot entries have which status."""
    counts: dict[str, int] = {}
    for status, what in _COUNTED.items():
        counts[what] = counts.get(what, 0) + len(plan.with_status(status))
    parts = [(number, what) for what, number in counts.items() if number]
    first = [f"{counted(n, 'boot entry', 'boot entries')} {what}" for n, what in parts[:1]]
    return ", ".join([*first, *(f"{number} {what}" for number, what in parts[1:])])


def _warnings(plan: Plan, style: Style, *, every: bool) -> Iterator[str]:
    """The warnings, equal ones together; of many of one kind, only some are shown."""
    groups = together(plan.warnings)
    kinds = [warnings[0].code for warnings in groups]
    seen: dict[str, int] = {}
    for warnings in groups:
        code = warnings[0].code
        number = seen[code] = seen.get(code, 0) + 1
        total = kinds.count(code) if number <= _ALIKE else 0
        if every or number < _ALIKE or total == _ALIKE:
            yield findings_text(warnings, style, every=every)
        elif number == _ALIKE:
            more = total - number + 1
            yield style.faint(f"and {more} more warnings of this kind (-v lists all)")


def _groups(plan: Plan) -> list[list[EntryPlan]]:
    """The boot entries, grouped by what happens to them and why."""
    groups: dict[object, list[EntryPlan]] = {}
    for entry in plan.entries:
        key = (entry.status, entry.kind, entry.note, entry.parameters)
        if entry.status in _QUIET:
            key = (entry.status, entry.kind, entry.note, ())
        groups.setdefault(key, []).append(entry)
    order = list(_WORDS)
    return sorted(groups.values(), key=lambda entries: order.index(entries[0].status))


def _heading(plan: Plan, style: Style) -> Iterator[str]:
    profile = plan.profile
    if profile is not None:
        yield from style.labelled(
            "Profile", f"{visible(profile.name)} ({visible(profile.path)})", _LABEL
        )
    if profile is not None and profile.description:
        yield from style.labelled("", visible(profile.description), _LABEL)
    machine = f"{visible(plan.root)}, {plan.layout}, zipl {plan.zipl_version}"
    yield from style.labelled("Machine", machine, _LABEL)


def _entries(
    entries: Sequence[EntryPlan], style: Style, told: set[str], *, every: bool
) -> Iterator[str]:
    """Yield what happens to these boot entries, once for all of them."""
    first = entries[0]
    yield from _with_parameters(
        _entries_head(entries, style),
        _entries_head(entries, PLAIN),
        first.parameters,
        style,
        told,
        quiet=first.status in _QUIET,
    )
    if first.note:
        yield from style.filled(visible(first.note), "  ", "  ")
    shown = len(entries) if every or len(entries) == 1 else _NAMED
    if first.status in _QUIET and len(entries) > _NAMED and not every:
        return
    for entry in entries[:shown]:
        marks = {"default": entry.default, "rescue": entry.rescue}
        yield from style.named(visible(entry.name), marks, "    ", "      ")
        if every or entry.status in {EntryStatus.ADD, EntryStatus.REMOVE}:
            yield style.faint(f"      {visible(str(entry.location))}")
    if len(entries) > shown:
        yield style.faint(f"    and {len(entries) - shown} more (-v lists all)")


def _entries_head(entries: Sequence[EntryPlan], style: Style) -> str:
    """Return what happens to how many boot entries."""
    first = entries[0]
    kind = "" if first.kind == "ipl" else f" ({first.kind})"
    how_many = style.bold(counted(len(entries), "boot entry", "boot entries"))
    if first.status in _QUIET:
        return f"{_WORDS[first.status]}: {how_many}{kind}"
    if first.status is EntryStatus.SEALED and is_kept(first):
        return f"Unchanged image of {how_many}{kind}"
    if first.status is EntryStatus.GENERATED:
        return f"{_WORDS[first.status]} ({how_many}{kind})"
    return f"{_painted(first.status, style)} {how_many}{kind}"


def is_kept(entry: EntryPlan) -> bool:
    """Whether all its parameters are known to stay as they are."""
    return {change.action for change in entry.parameters} == {ParameterAction.KEEP}


def _painted(status: EntryStatus, style: Style) -> str:
    paint = {
        EntryStatus.CHANGE: style.yellow,
        EntryStatus.ADD: style.green,
        EntryStatus.REMOVE: style.red,
        EntryStatus.SEALED: style.yellow,
    }.get(status)
    return _WORDS[status] if paint is None else paint(_WORDS[status])


def _store(store: StorePlan, style: Style, told: set[str]) -> Iterator[str]:
    quiet = store.status is not StoreStatus.CHANGE
    word = f"{_STORE_WORDS[store.status]}:" if quiet else _STORE_WORDS[store.status]
    name = store.name[:1].lower() + store.name[1:]
    place = "" if store.location is None else f" ({visible(str(store.location))})"
    plain = f"{word} {name}{place}"
    if place and not style.fits(f"{plain}:"):
        place = f"\n {place}"
    head = f"{word if quiet else style.yellow(word)} {style.bold(name)}{style.faint(place)}"
    yield from _with_parameters(head, plain, store.parameters, style, told, quiet=quiet)
    if store.note:
        for line in style.filled(visible(store.note), "  ", "  "):
            yield style.yellow(line) if store.met is False else line


def _with_parameters(
    head: str,
    plain: str,
    changes: Sequence[ParameterChange],
    style: Style,
    told: set[str],
    *,
    quiet: bool,
) -> Iterator[str]:
    """What happens to the parameters: after the head if it is one change that fits, otherwise below it.

    `plain` is the head without colour.
    """
    if quiet:
        changes = []
    one_line = len(changes) == 1 and style.fits(f"{plain}: {_change(changes[0], PLAIN)}")
    if not one_line:
        yield f"{head}:" if changes else head
    for change in changes:
        yield f"{head}: {_change(change, style)}" if one_line else f"  {_change(change, style)}"
        if change.reason not in told:
            told.add(change.reason)
            indent = "  " if one_line else "    "
            yield from map(style.faint, style.filled(visible(change.reason), indent, indent))


def _change(change: ParameterChange, style: Style) -> str:
    before = visible(" ".join(change.before))
    after = visible(" ".join(change.after))
    return {
        ParameterAction.ADD: style.green(f"+ {after}"),
        ParameterAction.REMOVE: style.red(f"- {before}"),
        ParameterAction.CHANGE: style.yellow(f"{before} -> {after}"),
        ParameterAction.KEEP: f"{before or change.name} (unchanged)",
    }[change.action]


def _diff_line(line: str, style: Style) -> str:
    """Return one line of a diff in its colour."""
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
    """Yield what happens to the re-IPL setting that chooses the boot entry of a trial."""
    trial, confirms = plan.trial, plan.confirms
    if trial is not None and trial.setting is not None:
        words = f"{trial.setting}: '{trial.before}' -> '{trial.after}'"
        yield from style.filled(f"Then set {visible(words)}; the next `reboot` starts the trial.")
    if confirms is not None and confirms.setting is not None:
        words = f"{confirms.setting}: '{confirms.before}' -> '{confirms.after}'"
        text = f"Before that, set {visible(words)}; a reboot no longer starts the trial."
        yield from style.filled(text)


def commands_intro(*, runs: bool) -> str:
    """Return the words before commands that come after the change; with `runs`, secboot runs them."""
    return "secboot will then run" if runs else "Then run"


def _commands(plan: Plan, style: Style, *, runs: bool) -> Iterator[str]:
    invocation = Invocation.on(plan.root)
    intro = commands_intro(runs=runs)
    if not runs and any(each.code in ABOUT_OTHER_FILES for each in plan.warnings):
        intro = "Then correct what zipl will refuse, and run"
    for command in plan.commands:
        words = visible(invocation.of_programs((command.argv,)))
        if style.width is None:
            yield f"{intro} {style.bold(words)}: {visible(command.reason)}."
        else:
            yield from style.filled(f"{intro} {words}: {visible(command.reason)}.", whole=words)
