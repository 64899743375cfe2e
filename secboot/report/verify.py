"""The checks of ``secboot verify`` as text or JSON (``secboot/verify/2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.style import cause_lines, counted, where_explained
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.checks import Outcome, counts_of, worst
from secboot.status.stages import Stage
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.report.style import Style
    from secboot.status.checks import Check
    from secboot.status.stages import Status

SCHEMA = "secboot/verify/2"


def verify_text(checks: tuple[Check, ...], last: Stage, style: Style) -> str:
    """Return the checks, with what to do about failed ones, and the verdict.

    Checks that differ only in their boot entries are one, with the entries below.
    """
    lines = []
    groups: dict[object, list[Check]] = {}
    for number, check in enumerate(checks):
        key = check._replace(subject="", file="") if check.subject else number
        groups.setdefault(key, []).append(check)
    for alike in groups.values():
        check = alike[0]
        lines += _lines(alike, style)
        if check.outcome is not Outcome.PASS:
            lines += [line for cause in check.causes for line in _cause(cause, check, style)]
    if last is Stage.EFFECTIVE:
        lines += map(style.faint, style.filled(f"NOTE {INDICATIONS_NOTE}", "", "     "))
    lines.append(style.bold(_verdict(checks, last)))
    worst_first = (
        c.id for each in (Outcome.FAIL, Outcome.WARN) for c in checks if c.outcome is each
    )
    lines += where_explained(worst_first, style)
    return "\n".join(lines) + "\n"


def verify_document(status: Status, checks: tuple[Check, ...], last: Stage) -> dict[str, Any]:
    """Return the same as a JSON document."""
    from secboot.codec import encode

    return {
        "schema": SCHEMA,
        "root": status.root,
        "profile": status.profile.name if status.profile is not None else None,
        "stage": last.value,
        "outcome": worst(checks).value,
        "checks": encode(checks),
        "note": INDICATIONS_NOTE,
    }


def _cause(cause: Finding, check: Check, style: Style) -> list[str]:
    """A notice is its own cause: the message in the check's line is not repeated."""
    is_new = cause.message != check.message or not cause.hint
    return cause_lines(cause, style, "       ", named=is_new)


def _lines(checks: Sequence[Check], style: Style) -> list[str]:
    """Return what checks that differ only in their boot entries found."""
    check = checks[0]
    word = {
        Outcome.PASS: style.green("PASS"),
        Outcome.WARN: style.yellow("WARN"),
        Outcome.FAIL: style.red("FAIL"),
    }[check.outcome]
    subject = f" '{visible(check.subject)}'" if check.subject else ""
    if len(checks) > 1:
        subject = f" ({len(checks)} boot entries)"
    text = f"{check.outcome} {visible(check.id)}{subject}: {visible(check.message)}"
    lines = style.filled(text, "", "     ")
    lines[0] = lines[0].replace(check.outcome, word, 1)
    for each in checks if len(checks) > 1 else ():
        lines += style.filled(f"'{visible(each.subject)}'", " " * 7, " " * 9)
    return lines


def _verdict(checks: tuple[Check, ...], last: Stage) -> str:
    return f"Checks up to '{last}': {counts_text(checks)}."


def counts_text(checks: tuple[Check, ...]) -> str:
    """Return how many checks passed, are warnings, and failed."""
    passed, warned, failed = counts_of(checks)
    return f"{passed} passed, {counted(warned, 'warning')}, {failed} failed"
