"""zipl's verdict on a machine's boot files, as text or JSON (schema ``secboot/check/2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.style import counted, finding_text, where_explained
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.invocation import Invocation
    from secboot.machine.discovery import Machine
    from secboot.repair.repair_plan import RepairPlan
    from secboot.report.style import Style

SCHEMA = "secboot/check/2"
_REPAIRED = "`--fix` repairs this"


def check_text(
    machine: Machine, repairs: RepairPlan | None, invocation: Invocation, style: Style
) -> str:
    """Return what zipl refuses, then what it accepts but is probably not meant, and a verdict.

    `repairs` is what `check --fix` would do; None if there is nothing to repair.
    """
    configuration = machine.configuration
    lines = []
    actions = _actions(repairs)
    for each in (*configuration.problems, *configuration.warnings):
        lines.append(finding_text(typed(each, invocation), style, with_code=True))
        if each in actions:
            lines += style.filled(f"{_REPAIRED}: {visible(actions[each])}", "    ", "      ")
    lines.append(style.bold(_verdict(machine)))
    if repairs is not None and repairs.repairs:
        lines.append(_advice(repairs, invocation, style))
    lines += where_explained(
        (each.code for each in (*configuration.problems, *configuration.warnings)), style
    )
    return "\n".join(lines) + "\n"


def _actions(repairs: RepairPlan | None) -> dict[Finding, str]:
    done = () if repairs is None else repairs.repairs
    return {finding: repair.action for repair in done for finding in repair.findings}


def _advice(repairs: RepairPlan, invocation: Invocation, style: Style) -> str:
    """Return the command for a repair, or the one that shows why it would be refused."""
    if repairs.refusal is None:
        return f"Repair with: {style.bold(visible(invocation.command('check', '--fix')))}"
    if repairs.leaves_secure_execution:
        return without_zipl(invocation, style)
    dry_run = visible(invocation.command("check", "--fix", "--dry-run"))
    first = "First correct by hand what this command shows:"
    gap = " " if style.fits(f"{first} {dry_run}") else "\n  "
    return f"{first}{gap}{style.bold(dry_run)}"


def without_zipl(invocation: Invocation, style: Style) -> str:
    """Return the command for a repair where zipl must not run."""
    command = visible(invocation.command("check", "--fix", "--no-zipl"))
    first = "Repair the files without running zipl:"
    gap = " " if style.fits(f"{first} {command}") else "\n  "
    return f"{first}{gap}{style.bold(command)}"


def check_document(
    machine: Machine, repairs: RepairPlan | None, invocation: Invocation
) -> dict[str, Any]:
    """Return the same as a JSON document; the first error is the one that zipl would report."""
    from secboot.codec import fields

    configuration = machine.configuration
    actions = _actions(repairs)
    return {
        "schema": SCHEMA,
        "root": machine.root,
        "zipl_version": str(machine.zipl_version),
        "zipl_conf": machine.conf_path,
        "accepted": configuration.accepted,
        "errors": [
            {
                **fields(typed(each.finding, invocation)),
                "zipl_line": each.zipl_line,
                "repair": actions.get(each.finding),
            }
            for each in configuration.refusals
        ],
        "warnings": [
            {**fields(each), "zipl_line": None, "repair": actions.get(each)}
            for each in configuration.warnings
        ],
    }


def typed(finding: Finding, invocation: Invocation) -> Finding:
    """Return the finding with a hint that can be typed as shown."""
    return finding._replace(hint=finding.hint and invocation.completed(finding.hint))


def _verdict(machine: Machine) -> str:
    configuration = machine.configuration
    errors, warnings = len(configuration.problems), len(configuration.warnings)
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    verb = "refuses" if errors else "accepts"
    return f"zipl {machine.zipl_version} {verb} {visible(machine.conf_path)}: {found}"
