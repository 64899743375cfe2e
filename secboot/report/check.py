"""zipl's verdict on a machine's boot files, as text or JSON (schema ``secboot/check/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.location import location_document
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.machine.discovery import Machine
    from secboot.report.style import Style

SCHEMA = "secboot/check/1"


def check_text(machine: Machine, style: Style) -> str:
    """Return one line a problem, ``path:line:column: error: message [code]``, and a verdict."""
    configuration = machine.configuration
    lines = [_line(p, style.red("error"), style) for p in configuration.problems]
    lines += [_line(w, style.yellow("warning"), style) for w in configuration.warnings]
    lines.append(style.bold(_verdict(machine)))
    return "\n".join(lines) + "\n"


def check_document(machine: Machine) -> dict[str, Any]:
    """Return the same as a JSON document; the first error is the one that zipl would name."""
    configuration = machine.configuration
    return {
        "schema": SCHEMA,
        "root": machine.root,
        "zipl_version": str(machine.zipl_version),
        "zipl_conf": machine.conf_path,
        "accepted": configuration.accepted,
        "errors": [_document(each.finding, each.zipl_line) for each in configuration.refusals],
        "warnings": [_document(warning, None) for warning in configuration.warnings],
    }


def _line(problem: Finding, severity: str, style: Style) -> str:
    text = f"{visible(str(problem.location))}: {severity}: {visible(problem.message)}"
    hint = f"\n    {visible(problem.hint)}" if problem.hint else ""
    return f"{text} {style.faint(f'[{problem.code}]')}{hint}"


def _verdict(machine: Machine) -> str:
    configuration = machine.configuration
    errors, warnings = len(configuration.problems), len(configuration.warnings)
    counted = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    verb = "refuses" if errors else "accepts"
    return f"zipl {machine.zipl_version} {verb} {visible(machine.conf_path)}: {counted}"


def _document(problem: Finding, zipl_line: int | None) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "location": location_document(problem.location),
        "zipl_line": zipl_line,
        "hint": problem.hint,
    }
