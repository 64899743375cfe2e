"""Many machines in one table, as text or JSON (schema ``secboot/fleet/1``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from secboot.report.fleet_machine import Standing
from secboot.report.status_text import paint
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.stages import Stage, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.report.fleet_machine import Machine
    from secboot.report.style import Style

SCHEMA = "secboot/fleet/1"
WORDS = {
    Verdict.MET: "yes",
    Verdict.MISSING: "NO",
    Verdict.UNKNOWN: "not known",
    Verdict.NOT_APPLICABLE: "-",
    None: "not checked",
}
"""What a cell says; None stands for a stage up to which the document does not go."""
HEADINGS = ("machine", "profile", *Stage, "next")
_DIGITS = re.compile(r"([0-9]+)")


def in_order(machines: Iterable[Machine]) -> tuple[Machine, ...]:
    """Return the machines with problems first, then by name; numbers in names by their value."""
    return tuple(sorted(machines, key=lambda m: (m.standing.order, _natural(m.host), m.file)))


def fleet_text(machines: Sequence[Machine], style: Style) -> str:
    """Return an aligned table, a row for each machine (more for more steps), and the totals."""
    rows = [[visible(machine.host), profile_of(machine), *_words(machine)] for machine in machines]
    headings = [heading.upper() for heading in HEADINGS]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=False)]
    lines = [style.bold("  ".join(_padded(headings[:-1], widths)) + f"  {headings[-1]}")]
    for machine, row in zip(machines, rows, strict=True):
        cells = _padded(row, widths)
        painted = [
            cell if verdict is None else paint(verdict, cell, style)
            for verdict, cell in zip(map(machine.at, Stage), cells[2:], strict=True)
        ]
        steps = _steps(machine) or [""]
        lines.append("  ".join([*cells[:2], *painted, steps[0]]).rstrip())
        indent = " " * sum(width + 2 for width in widths)
        lines += [f"{indent}{step}" for step in steps[1:]]
    lines += ["", style.bold(totals(machines)), style.faint(INDICATIONS_NOTE)]
    return "\n".join(lines) + "\n"


def fleet_document(machines: Sequence[Machine], last: Stage) -> dict[str, Any]:
    """Return the same as a JSON document, with the cause of each step."""
    return {
        "schema": SCHEMA,
        "stage": last.value,
        "counts": {standing.value: count for standing, count in _counts(machines)},
        "machines": [_document(machine) for machine in machines],
        "note": INDICATIONS_NOTE,
    }


def profile_of(machine: Machine) -> str:
    """Return the profile's name, with its role where the name does not say it already."""
    if machine.profile is None:
        return "-"
    role = "" if machine.role in {None, machine.profile} else f" ({machine.role})"
    return visible(f"{machine.profile}{role}")


def totals(machines: Sequence[Machine]) -> str:
    """Return how many machines stand how, as a sentence."""
    said = {
        Standing.MISSING: "with something missing",
        Standing.UNREADABLE: "unreadable",
        Standing.WARNING: "with a warning",
        Standing.MET: "in order",
    }
    parts = [f"{count} {said[standing]}" for standing, count in _counts(machines) if count]
    plural = "" if len(machines) == 1 else "s"
    return f"{len(machines)} machine{plural}: {', '.join(parts)}."


def _counts(machines: Sequence[Machine]) -> Iterator[tuple[Standing, int]]:
    for standing in Standing:
        yield standing, sum(machine.standing is standing for machine in machines)


def _words(machine: Machine) -> list[str]:
    if machine.stages is None:
        return ["" for _ in Stage]
    return [WORDS[machine.at(stage)] for stage in Stage]


def _steps(machine: Machine) -> list[str]:
    """What to do, each step once; the cause where no step is known."""
    return list(dict.fromkeys(visible(each.next_step or each.why) for each in machine.remarks))


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    """A key by which host9 comes before host10."""
    parts = iter([*_DIGITS.split(name.casefold()), "0"])
    return tuple((text, int(number)) for text, number in zip(parts, parts, strict=True))


def _document(machine: Machine) -> dict[str, Any]:
    verdicts = [(stage, machine.at(stage)) for stage in Stage]
    return {
        "host": machine.host,
        "file": machine.file,
        "document": machine.schema,
        "root": machine.root,
        "profile": machine.profile,
        "role": machine.role,
        "standing": machine.standing.value,
        "stages": {stage.value: None if v is None else v.value for stage, v in verdicts},
        "remarks": [{"why": each.why, "next_step": each.next_step} for each in machine.remarks],
    }
