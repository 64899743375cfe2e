"""zipl's verdict on a machine's boot files, as text or JSON (schema ``secboot/check/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.style import counted, finding_text, where_explained
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.invocation import Invocation
    from secboot.machine.discovery import Machine
    from secboot.report.style import Style

SCHEMA = "secboot/check/1"


def check_text(machine: Machine, invocation: Invocation, style: Style) -> str:
    """Return what zipl refuses, then what it accepts although it is hardly meant, and a verdict."""
    configuration = machine.configuration
    found = (*configuration.problems, *configuration.warnings)
    lines = [finding_text(_typed(each, invocation), style, with_code=True) for each in found]
    lines.append(style.bold(_verdict(machine)))
    lines += where_explained((each.code for each in found), style)
    return "\n".join(lines) + "\n"


def check_document(machine: Machine, invocation: Invocation) -> dict[str, Any]:
    """Return the same as a JSON document; the first error is the one that zipl would name."""
    from secboot.codec import fields

    configuration = machine.configuration
    return {
        "schema": SCHEMA,
        "root": machine.root,
        "zipl_version": str(machine.zipl_version),
        "zipl_conf": machine.conf_path,
        "accepted": configuration.accepted,
        "errors": [
            {**fields(_typed(each.finding, invocation)), "zipl_line": each.zipl_line}
            for each in configuration.refusals
        ],
        "warnings": [{**fields(each), "zipl_line": None} for each in configuration.warnings],
    }


def _typed(finding: Finding, invocation: Invocation) -> Finding:
    return finding._replace(hint=finding.hint and invocation.completed(finding.hint))


def _verdict(machine: Machine) -> str:
    configuration = machine.configuration
    errors, warnings = len(configuration.problems), len(configuration.warnings)
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    verb = "refuses" if errors else "accepts"
    return f"zipl {machine.zipl_version} {verb} {visible(machine.conf_path)}: {found}"
