"""Many machines as one HTML page that needs nothing else: no script, no font, no image, no network.

Everything that comes from a document is escaped, and the page's own policy forbids scripts and
loading as well. Colours follow the reader's scheme; no colour says what the words don't say, too.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from secboot.report.fleet import HEADINGS, WORDS, profile_of, totals
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.stages import Stage, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.report.fleet_machine import Machine, Remark

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


def fleet_page(machines: Sequence[Machine], last: Stage) -> str:
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


def _row(machine: Machine) -> str:
    name = f'{_escaped(machine.host)} <span class="file">{_escaped(machine.file)}</span>'
    if machine.stages is None:
        why = "; ".join(_escaped(remark.why) for remark in machine.remarks)
        cells = f'<td class="missing" colspan="{len(HEADINGS) - 1}">Can\'t be read: {why}</td>'
    else:
        stages = "".join(_stage(machine.at(stage)) for stage in Stage)
        profile = f"<td>{escape(profile_of(machine))}</td>"
        cells = f'{profile}{stages}<td class="next">{_steps(machine.remarks)}</td>'
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _stage(verdict: Verdict | None) -> str:
    return f'<td class="stage {verdict or Verdict.UNKNOWN}">{_SIGNS[verdict]}</td>'


def _steps(remarks: Sequence[Remark]) -> str:
    items = [f"<li>{_step(remark)}</li>" for remark in remarks]
    return f"<ul>{''.join(items)}</ul>" if items else "nothing"


def _step(remark: Remark) -> str:
    step = f": <code>{_escaped(remark.next_step)}</code>" if remark.next_step else ""
    return f"{_escaped(remark.why)}{step}"


def _escaped(text: str) -> str:
    return escape(visible(text))
