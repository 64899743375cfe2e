"""Many machines in one table, as text or JSON (schema ``secboot/fleet/2``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from secboot.report.reported import Standing
from secboot.report.status import paint
from secboot.report.style import counted
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.stages import Stage, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.finding import Finding
    from secboot.report.reported import ReportedMachine
    from secboot.report.style import Style

SCHEMA = "secboot/fleet/2"
WORDS = {
    Verdict.MET: "yes",
    Verdict.MISSING: "NO",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "-",
    None: "not checked",
}
"""The word in a cell; None is for a stage after the last one of the document."""
_DIGITS = re.compile(r"([0-9]+)")


def in_order(machines: Iterable[ReportedMachine]) -> tuple[ReportedMachine, ...]:
    """Return the machines with problems first, then by name; numbers in names count by value."""
    return tuple(sorted(machines, key=lambda m: (m.standing.order, _natural(m.host), m.file)))


def fleet_text(
    machines: Sequence[ReportedMachine],
    style: Style,
    *,
    problems_only: bool = False,
    page: str | None = None,
) -> str:
    """Return an aligned table of the machines, then their problems, and the totals.

    Machines with problems come last, where they stay on the terminal's screen. `page` is the file
    that the HTML page was written to. IBM's note is included if a running system was judged.
    """
    shown = sorted(in_order(machines), key=lambda machine: -machine.standing.order)
    if problems_only:
        shown = [machine for machine in shown if machine.standing is not Standing.MET]
    lines = [*_table(shown, style), ""]
    for machine in shown:
        lines += [line for found in machine.findings for line in _problem(machine, found, style)]
    if lines[-1]:
        lines.append("")
    judged = {machine.stages.get(Stage.EFFECTIVE) for machine in shown}
    if judged - {None, Verdict.NOT_APPLICABLE}:
        lines += map(style.faint, style.filled(INDICATIONS_NOTE))
    if page is not None:
        lines.append(f"HTML page: {visible(page)}")
    lines.append(style.bold(totals(machines)))
    return "\n".join(lines) + "\n"


def _table(machines: Sequence[ReportedMachine], style: Style) -> Iterator[str]:
    rows = [[visible(machine.host), profile_of(machine), *_words(machine)] for machine in machines]
    headings = [heading.upper() for heading in ("machine", "profile", *Stage)]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    yield style.bold("  ".join(_padded(headings, widths)).rstrip())
    for machine, row in zip(machines, rows, strict=True):
        cells = _padded(row, widths)
        painted = [
            cell if verdict is None else paint(verdict, cell, style)
            for verdict, cell in zip(machine.stages.values(), cells[2:], strict=True)
        ]
        yield "  ".join([*cells[:2], *painted]).rstrip()


def _problem(machine: ReportedMachine, found: Finding, style: Style) -> Iterator[str]:
    host = visible(machine.host)
    first, *more = style.filled(f"{host}: {visible(found.message)}", "", "  ")
    yield first.replace(host, style.bold(host), 1)
    yield from more
    if found.hint:
        yield from (f"  {visible(line)}" for line in found.hint.split("\n"))


def fleet_document(machines: Sequence[ReportedMachine], last: Stage) -> dict[str, Any]:
    """Return the same as a JSON document, with the cause of each problem."""
    from secboot.codec import encode

    return {
        "schema": SCHEMA,
        "stage": last.value,
        "counts": {standing.value: count for standing, count in _counts(machines)},
        "machines": encode(tuple(machines)),
        "note": INDICATIONS_NOTE,
    }


def profile_of(machine: ReportedMachine) -> str:
    """Return the profile's name, with its role unless that is the same."""
    if machine.profile is None:
        return "-"
    role = "" if machine.role in {None, machine.profile} else f" ({machine.role})"
    return visible(f"{machine.profile}{role}")


def totals(machines: Sequence[ReportedMachine]) -> str:
    """Return how many machines have which standing, as a sentence."""
    said = {
        Standing.MISSING: "incomplete",
        Standing.UNREADABLE: "unreadable",
        Standing.WARNING: "with a warning",
        Standing.MET: "in order",
    }
    parts = [f"{count} {said[standing]}" for standing, count in _counts(machines) if count]
    return f"{counted(len(machines), 'machine')}: {', '.join(parts)}."


def _counts(machines: Sequence[ReportedMachine]) -> Iterator[tuple[Standing, int]]:
    for standing in Standing:
        yield standing, sum(machine.standing is standing for machine in machines)


def _words(machine: ReportedMachine) -> list[str]:
    if machine.document is None:
        return ["" for _ in Stage]
    return [WORDS[machine.stages[stage]] for stage in Stage]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)]


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    """A sort key with which host9 comes before host10."""
    parts = iter([*_DIGITS.split(name.casefold()), "0"])
    return tuple((text, int(number)) for text, number in zip(parts, parts, strict=True))
