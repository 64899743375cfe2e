"""A status as text or JSON (``secboot/status/2``): the machine, each stage, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.finding import Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.ipl.boot_record import RecordState
from secboot.kernel import prot_virt, swiotlb
from secboot.report.choices import NOT_RECORDED, next_ipl_document, record_text
from secboot.report.style import (
    PLAIN,
    cause_lines,
    counted,
    findings_text,
    step_lines,
    together,
)
from secboot.running.firmware import INDICATIONS_NOTE, ULTRAVISOR
from secboot.running.system import SECURE_EXECUTION_MACHINES, ULTRAVISOR_CALL, UNPACK
from secboot.status.stages import FOLLOW, IN_IMAGE, Stage, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.report.style import Style
    from secboot.running.system import RunningSystem
    from secboot.status.stages import (
        EntryResults,
        LineOrigin,
        RequirementResults,
        Status,
    )

SCHEMA = "secboot/status/2"
Document = dict[str, Any]

_WORDS = {
    Verdict.MET: "yes",
    Verdict.MISSING: "NO",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "-",
}
_WORST_FIRST = (Verdict.MISSING, Verdict.UNKNOWN, Verdict.MET)
_WIDTH = 14
_NAMED = 5
"""How many boot entries of a kind are listed, unless -v lists them all."""


def status_text(
    status: Status,
    style: Style,
    *,
    every: bool = False,
    ask_for: str | None = None,
    listing: str = "secboot profile list",
) -> str:
    """Return the status as text that ends with a newline: the verdict first, what to do last.

    Boot entries with the same results are grouped; with `every`, each is listed. If no profile was
    named, `ask_for` is the command that judges the active one, and `listing` the one that lists
    the profiles.
    """
    lines = [*_verdict(status, style), *_heading(status, style)]
    for requirement in status.requirements:
        lines += ["", *_requirement(requirement, style)]
    if status.entries:
        lines += ["", *_entries(status, style, every=every)]
    if status.notices:
        groups = together(status.notices)
        lines += ["", *(findings_text(notices, style, every=every) for notices in groups)]
    steps = tuple(_next_steps(status, style))
    if not steps:
        steps = tuple(step_lines(*_otherwise(status, ask_for, listing), style, "  "))
    lines += ["", style.bold("Next"), *steps]
    return "\n".join(lines) + "\n"


def _verdict(status: Status, style: Style) -> Iterator[str]:
    """The verdict on one line."""
    if status.profile is None:
        return
    name = visible(status.profile.name)
    failing = next((n for n in status.notices if n.severity is Severity.ERROR), None)
    found: dict[Verdict, list[Stage]] = {verdict: [] for verdict in Verdict}
    for stage in Stage:
        verdicts = {each.stages[stage].verdict for each in status.requirements}
        worst = next((v for v in _WORST_FIRST if v in verdicts), Verdict.NOT_APPLICABLE)
        found[worst].append(stage)
    if found[Verdict.MISSING]:
        missing = f"{name}: NO (not {', not '.join(found[Verdict.MISSING])})"
        yield from map(style.red, style.filled(missing, "", "  "))
    elif failing is not None:
        yield from map(
            style.red, style.filled(f"{name}: NO ({visible(failing.message)})", "", "  ")
        )
    elif found[Verdict.UNKNOWN]:
        yield style.yellow(f"{name}: unknown ({', '.join(found[Verdict.UNKNOWN])})")
    elif found[Verdict.MET]:
        yield style.green(f"{name}: yes ({', '.join(found[Verdict.MET])})")
    else:
        yield f"{name}: no stage is applicable"


def _otherwise(status: Status, ask_for: str | None, listing: str) -> tuple[str, str | None]:
    """What to do if no requirement needs anything, and the command for it."""
    if status.profile is None and ask_for is not None:
        return "see how far the active profile has progressed", ask_for
    if status.profile is None:
        return "name a profile to see its progress; list the profiles", listing
    hints = [notice.hint for notice in status.notices if notice.hint]
    if hints:
        return "see above", None
    results = [result for each in status.requirements for result in each.stages.values()]
    if any(result.verdict is Verdict.UNKNOWN for result in results):
        return "nothing is known to be missing; the table says why a stage is unknown", None
    return "nothing: all applicable stages are reached", None


def paint(verdict: Verdict, text: str, style: Style) -> str:
    """Return the text in the colour of its verdict."""
    if verdict is Verdict.MET:
        return style.green(text)
    if verdict is Verdict.MISSING:
        return style.red(text)
    return style.yellow(text) if verdict is Verdict.UNKNOWN else style.faint(text)


def _heading(status: Status, style: Style) -> Iterator[str]:
    if status.profile is not None:
        yield f"{_label('Profile', style)}{visible(status.profile.name)} ({visible(status.profile.path)})"
    yield from _row("Machine", f"{visible(status.root)}, {status.layout}", style)
    rows = _row("Boot record", _record(status, PLAIN), style)
    one_row = f"{_label('Boot record', style)}{_record(status, style)}"
    yield from [one_row] if len(rows) == 1 else rows
    if status.running is not None:
        yield from _running(status.running, status.origin, style)
        if status.reboot is not None:
            yield from _row("Reboot", status.reboot.describe(), style)
    else:
        yield from _row("Running", "not applicable: this tree is not the running system", style)


def _record(status: Status, style: Style) -> str:
    record = status.next_ipl.record
    unconfigured = any(notice.code == "no-configuration" for notice in status.notices)
    if unconfigured and record.state is RecordState.MISSING:
        return NOT_RECORDED
    return record_text(record, style)


def _running(running: RunningSystem, origin: LineOrigin | None, style: Style) -> Iterator[str]:
    system = [f"kernel {visible(running.kernel or 'unknown')}"]
    if running.hardware.ibm_z:
        machine = running.hardware.machine_type or "unknown"
        named = SECURE_EXECUTION_MACHINES.get(machine)
        system.append(f"machine {machine}" + (f" ({named})" if named else ""))
        system.append(visible(running.hardware.describe()))
    else:
        system.append("not an IBM Z machine")
    yield from _row("Running", ", ".join(system), style)
    if not running.hardware.ibm_z and not running.ultravisor.present:
        return
    features = [
        f"facility {number} ({name}) {_known(running.hardware.has(number))}"
        for number, name in ((ULTRAVISOR_CALL, "ultravisor"), (UNPACK, "unpack"))
    ]
    yield from _row("", ", ".join(features), style)
    yield from _row("", _indications(running), style)
    hosting = ", ".join(_hosting(running))
    if hosting:
        yield from _row("", hosting, style)
    yield from map(style.faint, _row("", INDICATIONS_NOTE, style))
    if running.command_line is not None:
        yield f"{_label('Command line', style)}{visible(running.command_line)}"
        if origin is not None:
            yield from _row("", visible(origin.description), style)


def _indications(running: RunningSystem) -> str:
    ultravisor = running.ultravisor
    if not ultravisor.present:
        return f"{ULTRAVISOR} not found"
    flags = (
        ("prot_virt_host", ultravisor.prot_virt_host),
        ("prot_virt_guest", ultravisor.prot_virt_guest),
    )
    shown = [
        f"{name} {'not provided by this kernel' if value is None else int(value)}"
        for name, value in flags
    ]
    return f"{ULTRAVISOR}: {', '.join(shown)}"


def _hosting(running: RunningSystem) -> Iterator[str]:
    """What hosting costs this system and what it provides; nothing in a secure guest."""
    ultravisor = running.ultravisor
    if ultravisor.prot_virt_guest:
        return
    if running.messages.reserved_mib is not None:
        yield f"{running.messages.reserved_mib} MiB of memory reserved for the ultravisor"
    if ultravisor.max_guests:
        yield f"at most {counted(ultravisor.max_guests, 'secure guest')} at a time"
    if ultravisor.max_address:
        yield f"their memory below {ultravisor.max_address:#x}"


def _known(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _requirement(requirement: RequirementResults, style: Style) -> Iterator[str]:
    yield style.bold(visible(requirement.wanted))
    for stage, result in requirement.stages.items():
        word = f"{_WORDS[result.verdict]:<9}"
        first = f"  {stage.number} {stage:<10} {word} "
        head, *more = style.filled(visible(result.reason), first, " " * len(first))
        yield head.replace(word, paint(result.verdict, word, style), 1)
        yield from more


def _entries(status: Status, style: Style, *, every: bool) -> Iterator[str]:
    """The results of the boot entries, grouped by what they have in common.

    If a profile has the same result for all of them, they are only counted.
    """
    groups: dict[tuple[str, ...], list[EntryResults]] = {}
    for entry in status.entries:
        groups.setdefault(tuple(_entry(entry, status, style)), []).append(entry)
    if status.requirements and len(groups) == 1 and len(status.entries) > 1 and not every:
        yield f"{style.bold('Boot entries')} ({len(status.entries)}, all alike; -v lists all)"
        yield from (f"     {line}" for known in groups for line in known)
        return
    yield style.bold("Boot entries")
    for known, entries in groups.items():
        shown = entries if every or len(entries) <= _NAMED else entries[: _NAMED - 1]
        for entry in shown:
            number = "" if entry.menu_position is None else f"{entry.menu_position}: "
            marks = {"default": entry.default, "rescue": entry.rescue}
            yield from style.named(visible(entry.name), marks, f"  {number}", "     ")
        if len(shown) < len(entries):
            yield style.faint(f"  and {len(entries) - len(shown)} more (-v lists all)")
        yield from (f"     {line}" for line in known)


def _entry(entry: EntryResults, status: Status, style: Style) -> Iterator[str]:
    if entry.note:
        yield style.faint(visible(entry.note))
    if entry.installed and {*entry.configured, *entry.installed} == {IN_IMAGE}:
        yield style.faint(IN_IMAGE.reason)
        return
    if status.profile is None:
        yield f"files   {_words(entry.parameters)}"
        if status.next_ipl.record.bootmap is not None:
            yield f"record  {_words(entry.recorded_parameters)}"
    for requirement, configured, installed in zip(
        status.requirements, entry.configured, entry.installed, strict=False
    ):
        results = ((Stage.CONFIGURED, configured), (Stage.INSTALLED, installed))
        cells = [
            f"{stage} {paint(result.verdict, _WORDS[result.verdict], style)}"
            for stage, result in results
        ]
        yield f"{visible(requirement.name)}: {', '.join(cells)}"


def _words(line: str | None) -> str:
    """The words of a line that matter to Secure Execution."""
    if line is None:
        return "unknown"
    parsed = CommandLine.parse(line)
    words = [*prot_virt.occurrences(parsed), *swiotlb.occurrences(parsed)]
    return visible(" ".join(word.text for word in words)) or "neither prot_virt nor swiotlb"


def _next_steps(status: Status, style: Style) -> Iterator[str]:
    """What to do first: later stages follow from earlier ones, except for causes in the machine.

    While a change is unfinished, nothing else must be done: zipl would record half of it.
    """
    unfinished = next((n for n in status.notices if n.code == "unfinished-change"), None)
    if unfinished is not None and unfinished.hint:
        message = "undo the unfinished change, unless it is still running"
        yield from step_lines(message, unfinished.hint, style, "  ")
        return
    shown: set[str | None] = set()
    for requirement in status.requirements:
        missing = [
            r for r in requirement.stages.values() if r.verdict is Verdict.MISSING and r.causes
        ]
        causes = [cause for result in missing[:1] for cause in result.causes]
        later = [cause for result in missing[1:] for cause in result.causes]
        for cause in [*causes, *(cause for cause in later if cause.code not in FOLLOW)]:
            if cause.hint not in shown:
                shown.add(cause.hint)
                yield from cause_lines(cause, style, "  ")


def _row(label: str, text: str, style: Style) -> list[str]:
    """Return prose after a label, filled; lines to be copied are not for this."""
    return style.labelled(label, text, _WIDTH)


def _label(text: str, style: Style) -> str:
    return style.bold(f"{text:<{_WIDTH}}")


def status_document(status: Status) -> Document:
    """Return the status as a JSON document, which contains all of the text."""
    from secboot.codec import encode

    running = status.running
    return {
        "schema": SCHEMA,
        "root": status.root,
        "layout": status.layout,
        "profile": encode(status.profile),
        "requirements": encode(status.requirements),
        "entries": encode(status.entries),
        **next_ipl_document(status.next_ipl),
        "new_kernel": encode(status.new_kernel),
        "running": None if running is None else _running_document(running, status.origin),
        "reboot": encode(status.reboot),
        "trial": encode(status.trial),
        "notices": encode(status.notices),
    }


def _running_document(running: RunningSystem, origin: LineOrigin | None) -> Document:
    from secboot.codec import fields

    made = fields(running)
    del made["hardware"]
    return {
        **made,
        **fields(running.hardware),
        "origin": "" if origin is None else origin.description,
        "ultravisor": {**fields(running.ultravisor), "note": INDICATIONS_NOTE},
    }
