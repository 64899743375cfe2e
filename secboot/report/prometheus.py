"""The checks as metrics for node_exporter's textfile collector.

The format is Prometheus's text exposition format 0.0.4; write it to a file ending in ``.prom``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.status.checks import Outcome
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.status.checks import Check
    from secboot.status.stages import Stage, Status

_VALUES = {Outcome.PASS: 1, Outcome.WARN: -1, Outcome.FAIL: 0}


def prometheus_text(status: Status, checks: tuple[Check, ...], last: Stage) -> str:
    """Return the metrics; each check is one sample, told apart by its labels."""
    profile = status.profile.name if status.profile is not None else ""
    lines = [
        "# HELP secboot_check Result of a check: 1 passed, 0 failed, -1 not known or a warning.",
        "# TYPE secboot_check gauge",
    ]
    for check in checks:
        labels = _labels(("check", check.id), ("entry", check.subject), ("profile", profile))
        lines.append(f"secboot_check{labels} {_VALUES[check.outcome]}")
    failed = sum(check.outcome is Outcome.FAIL for check in checks)
    of_all = _labels(("profile", profile), ("stage", last.value))
    lines += [
        "# HELP secboot_checks_failed How many checks failed up to the stage.",
        "# TYPE secboot_checks_failed gauge",
        f"secboot_checks_failed{of_all} {failed}",
    ]
    return "\n".join(lines) + "\n"


def _labels(*pairs: tuple[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return visible(value).replace("\\", "\\\\").replace('"', '\\"')
