"""The checks of ``secboot verify``: text, one line a check, or JSON (schema ``secboot/verify/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.status_json import advice_document
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.checks import Outcome, worst
from secboot.status.stages import Stage
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.report.style import Style
    from secboot.status.checks import Check
    from secboot.status.stages import Status

SCHEMA = "secboot/verify/1"


def verify_text(checks: tuple[Check, ...], last: Stage, style: Style) -> str:
    """Return one line a check, below a failed one what to do, and the verdict."""
    lines = []
    for check in checks:
        lines.append(_line(check, style))
        if check.outcome is not Outcome.PASS:
            lines += [
                style.faint(f"       {visible(each.message)}: ") + visible(each.hint or "")
                for each in check.causes
            ]
    if last is Stage.EFFECTIVE:
        lines.append(style.faint(f"NOTE {INDICATIONS_NOTE}"))
    lines.append(style.bold(_verdict(checks, last)))
    return "\n".join(lines) + "\n"


def verify_document(status: Status, checks: tuple[Check, ...], last: Stage) -> dict[str, Any]:
    """Return the same as a JSON document."""
    return {
        "schema": SCHEMA,
        "root": status.root,
        "profile": status.profile.name if status.profile is not None else None,
        "stage": last.value,
        "outcome": worst(checks).value,
        "checks": [
            {
                "id": check.id,
                "subject": check.subject,
                "outcome": check.outcome.value,
                "message": check.message,
                "advice": advice_document(check.causes),
            }
            for check in checks
        ],
        "note": INDICATIONS_NOTE,
    }


def _line(check: Check, style: Style) -> str:
    word = {
        Outcome.PASS: style.green("PASS"),
        Outcome.WARN: style.yellow("WARN"),
        Outcome.FAIL: style.red("FAIL"),
    }[check.outcome]
    subject = f" '{visible(check.subject)}'" if check.subject else ""
    return f"{word} {visible(check.id)}{subject}: {visible(check.message)}"


def _verdict(checks: tuple[Check, ...], last: Stage) -> str:
    counts = [
        f"{sum(check.outcome is outcome for check in checks)} {word}"
        for outcome, word in (
            (Outcome.PASS, "passed"),
            (Outcome.WARN, "warned"),
            (Outcome.FAIL, "failed"),
        )
    ]
    return f"Up to '{last}': {', '.join(counts)}."
