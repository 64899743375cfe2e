"""Many machines as one HTML page.

The page is self-contained: no font, no image, no network. Its only script filters the rows; without
it, all rows are shown. Everything from a document is escaped, and the page's content security policy
forbids loading anything, and every script except this one. Colours follow the reader's scheme;
no information depends on colour alone.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from secboot.report.fleet import WORDS, profile_of, totals
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.stages import Stage, Verdict
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.report.made import Made
    from secboot.report.reported import ReportedMachine

_HEADINGS = ("machine", "profile", *Stage, "as of", "next")
_STYLE = """\
:root { color-scheme: light dark; --text: #1b1f24; --page: #ffffff; --faint: #57606a;
  --line: #d0d7de; --head: #f3f5f7; --met: #116329; --missing: #a40e26; --unknown: #7a4b00;
  --missing-back: #ffebe9; --unknown-back: #fff6d9; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --page: #0d1117; --faint: #9da7b1; --line: #3d444d; --head: #1b222b;
    --met: #56d364; --missing: #ff9a94; --unknown: #e9b949; --missing-back: #3c1418;
    --unknown-back: #33270a; } }
body { margin: 0 auto; padding: .75rem 1rem; max-width: 100rem; background: var(--page);
  color: var(--text); font: .8125rem/1.0625rem system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.125rem; line-height: 1.5rem; }
p { margin: .25rem 0; }
[hidden] { display: none !important; }
.filter { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; margin: .25rem 0; }
.filter input, .filter select { font: inherit; padding: .125rem .25rem; }
table { border-collapse: collapse; width: 100%; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 0 .5rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: var(--head); white-space: nowrap; }
thead th::first-letter { text-transform: uppercase; }
tbody th, td.profile, td.stage, td.as-of { white-space: nowrap; }
td.next { width: 100%; overflow-wrap: anywhere; }
td.met { color: var(--met); }
td.missing { color: var(--missing); background: var(--missing-back); font-weight: 600; }
td.unknown { color: var(--unknown); background: var(--unknown-back); }
td.not-applicable, td.as-of, .file, .legend, footer { color: var(--faint); }
ul, details .file { margin: .25rem 0 .5rem; padding-left: 1.1rem; }
details .file { display: block; }
.file { font-weight: 400; }
code { font: .95em ui-monospace, monospace; white-space: pre-wrap; }
footer { margin-top: .5rem; }
@media (max-width: 60rem) {
  body { font-size: .875rem; line-height: 1.25rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody { display: block; }
  tbody tr { display: grid; grid-template-columns: repeat(5, 1fr); padding: .5rem 0;
    border-top: 1px solid var(--line); }
  tbody th, tbody td { display: block; padding: .125rem .25rem; border: 0; }
  tbody th { grid-column: 1 / 4; }
  td.profile { grid-column: 4 / 6; text-align: right; }
  tbody th, td.profile { overflow-wrap: anywhere; white-space: normal; }
  td.stage { font-size: .75rem; white-space: normal; }
  td.stage::before { content: attr(data-stage); display: block; font-weight: 400; font-size: .6875rem; }
  td.as-of, td.next, td.whole { grid-column: 1 / 6; width: auto; }
}
@media print { thead th { position: static; } body { padding: 0; max-width: none; } }
"""
_SCRIPT = """\
"use strict";
const rows = [...document.querySelectorAll("tbody tr")];
const [words, stage, shown] = ["words", "stage", "shown"].map((id) => document.getElementById(id));
function show() {
  const wanted = words.value.toLowerCase().split(/\\s+/);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const cell = `[data-stage="${stage.value}"]`;
    const wrong = stage.value === "" || (stage.value === "any" ? !row.classList.contains("met")
      : row.matches(".unreadable") || row.querySelector(`${cell}.missing, ${cell}.unknown`));
    row.hidden = !(wrong && wanted.every((word) => text.includes(word)));
    count += !row.hidden;
  }
  shown.textContent = `${count} of ${rows.length} shown`;
}
words.addEventListener("input", show);
stage.addEventListener("change", show);
document.querySelector(".filter").hidden = false;
show();
"""
_LEGEND = (
    "\N{HEAVY CHECK MARK} reached,"
    " \N{HEAVY BALLOT X} missing, ? unknown, \N{EN DASH} not applicable."
)
_SIGNS = {
    Verdict.MET: "\N{HEAVY CHECK MARK} yes",
    Verdict.MISSING: "\N{HEAVY BALLOT X} no",
    Verdict.UNKNOWN: "? unknown",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
    None: f"? {WORDS[None]}",
}


def fleet_page(machines: Sequence[ReportedMachine], last: Stage, now: Made) -> str:
    """Return the page, made `now`, as text that must be written as UTF-8; it ends with a newline."""
    headings = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
    rows = "\n".join(_row(machine) for machine in machines)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="referrer" content="no-referrer">
<title>secboot: {totals(machines)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<main>
<h1>IBM Secure Execution fleet</h1>
<p>{totals(machines)} Stages are checked up to &#x27;{last}&#x27;.
<span class="legend">{_LEGEND}</span></p>
{_filter()}
<table>
<caption>Progress of each machine</caption>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
<footer>
<p>{_made(machines, now)}</p>
<p>{_escaped(INDICATIONS_NOTE)}</p>
</footer>
<script>
{_SCRIPT}</script>
</body>
</html>
"""


def _policy() -> str:
    script = b64encode(sha256(f"\n{_SCRIPT}".encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}';"
        " base-uri 'none'; form-action 'none'"
    )


def _filter() -> str:
    """The two filter fields, which stay hidden without scripts."""
    stages = "".join(f'<option value="{stage}">{stage}</option>' for stage in Stage)
    return f"""\
<div class="filter" role="search" hidden>
<label>Show machines with <input id="words" type="search" placeholder="any text"></label>
<label>and a problem at <select id="stage"><option value="">any stage, or none</option>
<option value="any">any stage</option>{stages}</select></label>
<span id="shown" role="status"></span>
</div>"""


def _made(machines: Sequence[ReportedMachine], now: Made) -> str:
    """When the page and its documents were made."""
    made = [machine.made for machine in machines if machine.made is not None]
    host = "" if now.host is None else f" on {_escaped(now.host)}"
    said = f"Made {_moment(now)}{host} by secboot {_escaped(now.version)}."
    if not made:
        return f"{said} The documents have no date."
    oldest, newest = (_moment(each(made, key=lambda one: one.moment())) for each in (min, max))
    return f"{said} Its documents were made from {oldest} to {newest}."


def _moment(made: Made) -> str:
    return made.moment().strftime("%Y-%m-%d %H:%M UTC")


def _row(machine: ReportedMachine) -> str:
    name = f'<th scope="row">{_escaped(machine.host)}</th>'
    if machine.document is None:
        why = "; ".join(_escaped(found.message) for found in machine.findings)
        whole = f'<td class="whole missing" colspan="{len(_HEADINGS) - 1}">Cannot be read: {why} '
        cells = f"{whole}{_source(machine)}</td>"
    else:
        stages = "".join(_stage(stage, machine.stages[stage]) for stage in Stage)
        profile = f'<td class="profile">{escape(profile_of(machine))}</td>'
        as_of = "no date" if machine.made is None else _moment(machine.made)
        cells = (
            f'{profile}{stages}<td class="as-of">{as_of}</td>'
            f'<td class="next">{_steps(machine)}</td>'
        )
    return f'<tr class="{machine.standing}">{name}{cells}</tr>'


def _stage(stage: Stage, verdict: Verdict | None) -> str:
    kind = verdict or Verdict.UNKNOWN
    return f'<td class="stage {kind}" data-stage="{stage}">{_SIGNS[verdict]}</td>'


def _steps(machine: ReportedMachine) -> str:
    """One line, which opens to all findings."""
    if not machine.findings:
        return f"<details><summary>nothing</summary>{_source(machine)}</details>"
    first, *more = machine.findings
    step = f"<code>{_escaped(first.hint)}</code>" if first.hint else _escaped(first.message)
    rest = f" and {len(more)} more" if more else ""
    items = "".join(f"<li>{_step(found)}</li>" for found in machine.findings)
    return f"<details><summary>{step}{rest}</summary><ul>{items}</ul>{_source(machine)}</details>"


def _step(found: Finding) -> str:
    step = f": <code>{_escaped(found.hint)}</code>" if found.hint else ""
    return f"{_escaped(found.message)}{step}"


def _source(machine: ReportedMachine) -> str:
    made = machine.made
    where = "" if made is None or made.host is None else f", made on {_escaped(made.host)}"
    version = "" if made is None else f" by secboot {_escaped(made.version)}"
    return f'<span class="file">{_escaped(machine.file)}{where}{version}</span>'


def _escaped(text: str) -> str:
    return escape(visible(text))
