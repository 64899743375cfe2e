"""Many machines in one table, as text, JSON (schema ``secboot/fleet/2``), or a page of HTML.

The page needs nothing else: no script, no font, no image, no network. Everything that comes from a
document is escaped, and the page's own policy forbids scripts and loading as well. Colours follow
the reader's scheme; no colour says what the words don't say, too.
"""

from __future__ import annotations

import re
from html import escape
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
    Verdict.UNKNOWN: "not known",
    Verdict.NOT_APPLICABLE: "-",
    None: "not checked",
}
"""What a cell says; None stands for a stage up to which the document does not go."""
HEADINGS = ("machine", "profile", *Stage, "next")
_DIGITS = re.compile(r"([0-9]+)")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """\
:root { color-scheme: light dark; --text: #1b1f24; --page: #ffffff; --faint: #57606a;
  --line: #d0d7de; --head: #f3f5f7; --met: #116329; --missing: #a40e26; --unknown: #7a4b00;
  --missing-back: #ffebe9; --unknown-back: #fff6d9; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --page: #0d1117; --faint: #9da7b1; --line: #3d444d; --head: #1b222b;
    --met: #56d364; --missing: #ff9a94; --unknown: #e9b949; --missing-back: #3c1418;
    --unknown-back: #33270a; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--page);
  color: var(--text); font: 1rem/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; }
p { margin: .25rem 0 1rem; }
.table { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
caption { padding: .6rem .75rem; text-align: left; color: var(--faint); }
th, td { padding: .5rem .75rem; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; }
thead th { background: var(--head); white-space: nowrap; }
thead th::first-letter { text-transform: uppercase; }
tbody th { overflow-wrap: anywhere; min-width: 8rem; }
tbody th, thead th:first-child { position: sticky; left: 0; }
tbody th { background: var(--page); }
td.next { min-width: 18rem; overflow-wrap: anywhere; }
td.met { color: var(--met); }
td.missing { color: var(--missing); background: var(--missing-back); font-weight: 600; }
td.unknown { color: var(--unknown); background: var(--unknown-back); }
td.not-applicable, .file, .legend, footer { color: var(--faint); }
td.stage { white-space: nowrap; }
.file { display: block; font-size: .8rem; font-weight: 400; }
ul { margin: 0; padding-left: 1.1rem; }
code { font: .9em ui-monospace, monospace; }
footer { margin-top: 1rem; font-size: .875rem; }
@media print { .table { overflow: visible; border: 0; } body { padding: 0; max-width: none; } }
"""
_LEGEND = (
    "\N{HEAVY CHECK MARK} reached,"
    " \N{HEAVY BALLOT X} missing, ? not known, \N{EN DASH} does not apply."
)
_SIGNS = {
    Verdict.MET: "\N{HEAVY CHECK MARK} yes",
    Verdict.MISSING: "\N{HEAVY BALLOT X} no",
    Verdict.UNKNOWN: "? not known",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
    None: f"? {WORDS[None]}",
}


def in_order(machines: Iterable[ReportedMachine]) -> tuple[ReportedMachine, ...]:
    """Return the machines with problems first, then by name; numbers in names by their value."""
    return tuple(sorted(machines, key=lambda m: (m.standing.order, _natural(m.host), m.file)))


def fleet_text(machines: Sequence[ReportedMachine], style: Style) -> str:
    """Return an aligned table, a row for each machine (more for more steps), and the totals."""
    rows = [[visible(machine.host), profile_of(machine), *_words(machine)] for machine in machines]
    headings = [heading.upper() for heading in HEADINGS]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=False)]
    lines = [style.bold("  ".join(_padded(headings[:-1], widths)) + f"  {headings[-1]}")]
    for machine, row in zip(machines, rows, strict=True):
        cells = _padded(row, widths)
        painted = [
            cell if verdict is None else paint(verdict, cell, style)
            for verdict, cell in zip(machine.stages.values(), cells[2:], strict=True)
        ]
        steps = _steps(machine) or [""]
        lines.append("  ".join([*cells[:2], *painted, steps[0]]).rstrip())
        indent = " " * sum(width + 2 for width in widths)
        lines += [f"{indent}{step}" for step in steps[1:]]
    lines += ["", style.bold(totals(machines)), style.faint(INDICATIONS_NOTE)]
    return "\n".join(lines) + "\n"


def fleet_document(machines: Sequence[ReportedMachine], last: Stage) -> dict[str, Any]:
    """Return the same as a JSON document, with the cause of each step."""
    from secboot.codec import encode

    return {
        "schema": SCHEMA,
        "stage": last.value,
        "counts": {standing.value: count for standing, count in _counts(machines)},
        "machines": encode(tuple(machines)),
        "note": INDICATIONS_NOTE,
    }


def profile_of(machine: ReportedMachine) -> str:
    """Return the profile's name, with its role where the name does not say it already."""
    if machine.profile is None:
        return "-"
    role = "" if machine.role in {None, machine.profile} else f" ({machine.role})"
    return visible(f"{machine.profile}{role}")


def totals(machines: Sequence[ReportedMachine]) -> str:
    """Return how many machines stand how, as a sentence."""
    said = {
        Standing.MISSING: "with something missing",
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


def _steps(machine: ReportedMachine) -> list[str]:
    """What to do, each step once; the cause where no step is known."""
    return list(dict.fromkeys(visible(each.hint or each.message) for each in machine.findings))


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    """A key by which host9 comes before host10."""
    parts = iter([*_DIGITS.split(name.casefold()), "0"])
    return tuple((text, int(number)) for text, number in zip(parts, parts, strict=True))


def fleet_page(machines: Sequence[ReportedMachine], last: Stage) -> str:
    """Return the page as text to be written as UTF-8; it ends with a newline."""
    headings = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
    rows = "\n".join(_row(machine) for machine in machines)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<title>secboot: {totals(machines)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<main>
<h1>IBM Secure Execution: the fleet</h1>
<p>{totals(machines)} What counts are the stages up to &#x27;{last}&#x27;.<br>
<span class="legend">{_LEGEND}</span></p>
<div class="table" role="region" aria-labelledby="about" tabindex="0">
<table>
<caption id="about">How far each machine has got</caption>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</main>
<footer>{_escaped(INDICATIONS_NOTE)}</footer>
</body>
</html>
"""


def _row(machine: ReportedMachine) -> str:
    name = f'{_escaped(machine.host)} <span class="file">{_escaped(machine.file)}</span>'
    if machine.document is None:
        why = "; ".join(_escaped(found.message) for found in machine.findings)
        cells = f'<td class="missing" colspan="{len(HEADINGS) - 1}">Can\'t be read: {why}</td>'
    else:
        stages = "".join(_stage(machine.stages[stage]) for stage in Stage)
        profile = f"<td>{escape(profile_of(machine))}</td>"
        cells = f'{profile}{stages}<td class="next">{_step_list(machine.findings)}</td>'
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _stage(verdict: Verdict | None) -> str:
    return f'<td class="stage {verdict or Verdict.UNKNOWN}">{_SIGNS[verdict]}</td>'


def _step_list(findings: Sequence[Finding]) -> str:
    items = [f"<li>{_step(found)}</li>" for found in findings]
    return f"<ul>{''.join(items)}</ul>" if items else "nothing"


def _step(found: Finding) -> str:
    step = f": <code>{_escaped(found.hint)}</code>" if found.hint else ""
    return f"{_escaped(found.message)}{step}"


def _escaped(text: str) -> str:
    return escape(visible(text))
