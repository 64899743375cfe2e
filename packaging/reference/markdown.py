"""The reference pages of the documentation: commands, exit codes, JSON documents."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import secboot
from reference.commands import Command, Parameter, commands, exit_codes, global_options
from secboot.report import explain

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEMAS = Path(secboot.__file__).parent / "report" / "schemas"
_CHANGES = """\
`made` says when a document was made, on which machine and by which secboot. Where the environment
has SOURCE_DATE_EPOCH, that is the time and no host is named, so that builds can be reproduced.

A command that fails, or is refused, prints `secboot/failure/1` in place of the document that was
asked for; standard error has the same for people.

A reader should ignore keys that it does not know: a later version may add some and leave the
number as it is.

## What changed

Since 0.1.0 everything that is wrong or worth knowing has one form in all documents, a *finding*:
`code`, `severity` (`error`, `warning`, `note`), `message`, `location` and `hint`. A hint is a
command that can be typed as shown, with the profile's name and the root in it. `secboot explain CODE`
and [a page](findings.md) say what a code means.

| document | what changed |
|---|---|
| `secboot/status/2` | `advice` (`why`, `next_step`) is `causes`, a list of findings; `notices` are findings; `new_kernel` has no `source`, but what is in its way |
| `secboot/verify/2` | the same for the `advice` of a check |
| `secboot/fleet/2` | `remarks` (`why`, `next_step`) are `findings` |
| `secboot/show/2` | `unfinished_change` is a finding; `boot_record` is what `status` has |
| `secboot/profiles/2` | `problem` is `problems`, a list of findings |

The others have new keys at most. `secboot fleet` reads the documents of 0.1.0, too; a plan that
0.1.0 saved has to be made again: a file of `plan --out` has a form of its own, `secboot/saved-plan/1`.
"""
_GENERATED = "This page is made by `packaging/generate` from what secboot itself goes by.\n"


def commands_page() -> str:
    """Return the page on commands and exit codes."""
    parts = ["# Commands and exit codes\n", _GENERATED]
    parts.append("```\nsecboot [OPTIONS] COMMAND [ARGUMENTS]\n```\n")
    parts.append(_table(global_options()))
    parts += [_command(each) for each in commands()]
    parts.append("## Exit codes\n")
    rows = ["| code | meaning |", "|---|---|"]
    rows += [f"| {code} | {_cell(text)} |" for code, text in exit_codes()]
    parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def json_page() -> str:
    """Return the page on the JSON documents."""
    parts = [
        "# JSON documents\n",
        _GENERATED,
        _wrapped(
            "`--output json` prints one document. Its key `schema` names what it is; the number "
            "there is raised when a reader of the old form would be misled. Nothing but ASCII is "
            "printed, and bytes of a file that are no UTF-8 are lone surrogates (`\\udcXX`), as "
            "Python's `surrogateescape` has them. The schemas are part of the package, in "
            "`secboot/report/schemas`."
        ),
        _CHANGES,
    ]
    files = sorted(_SCHEMAS.glob("*.json"))
    parts += [_document(json.loads(path.read_text()), path.name) for path in files]
    return "\n".join(parts)


def findings_page() -> str:
    """Return the page on all codes, from what ``secboot explain`` prints."""
    parts = [
        "# Findings and exit codes\n",
        _GENERATED,
        _wrapped(
            "Everything that secboot finds has a code: `secboot check` prints it in brackets, "
            "`secboot verify` as the name of a check, JSON documents as `code`. "
            "`secboot explain CODE` prints what is on this page."
        ),
    ]
    every = explain.groups()
    tails = Counter(_tail(each.code) for group in every for each in group.explanations)
    for group in every:
        parts += [f"## {group.title}\n", *([_wrapped(group.about)] if group.about else [])]
        parts += [_finding(each, tails) for each in group.explanations]
    return "\n".join(parts)


def _tail(code: str) -> str:
    return code.rpartition(".")[2]


def _finding(each: explain.Explanation, tails: Counter[str]) -> str:
    # GitHub and MyST leave the dot out of a heading's address, so there is one to link to, too.
    is_own = tails[_tail(each.code)] == 1
    anchor = _tail(each.code) if is_own else each.code.replace(".", "-")
    parts = [
        *([f'<a id="{anchor}"></a>\n'] if "." in each.code else []),
        f"### {'Exit code ' if each.code.isdecimal() else ''}{each.code}\n",
        _wrapped(f"**{each.summary}** {each.why or ''}".strip()),
    ]
    items = (("What to do", each.what_to_do), ("Source", each.source))
    lines = [f"- {label}: {text}" for label, text in items if text is not None]
    return "\n".join([*parts, *(["\n".join(lines) + "\n"] if lines else [])])


def _command(command: Command) -> str:
    parts = [
        f"## `secboot {command.name}`\n",
        f"```\nsecboot {command.name} {command.synopsis}\n```\n",
        _wrapped(command.help),
        _table(command.parameters),
        _examples(command),
    ]
    return "\n".join(part for part in parts if part)


def _examples(command: Command) -> str:
    width = max((len(typed) for typed, _ in command.examples), default=0)
    lines = [f"{typed:<{width}}  # {what}" for typed, what in command.examples]
    return "\n".join(["```sh", *lines, "```", ""]) if lines else ""


def _table(parameters: Iterable[Parameter]) -> str:
    rows = [f"| `{_cell(each.written)}` | {_cell(each.help)} |" for each in parameters]
    return "\n".join(["| option or argument | meaning |", "|---|---|", *rows, ""]) if rows else ""


def _document(schema: dict[str, Any], file: str) -> str:
    name = schema["properties"]["schema"]["const"]
    rows = [f"## `{name}`\n", f"{schema['title']}. Schema: `secboot/report/schemas/{file}`.\n"]
    rows += ["| key | type | meaning |", "|---|---|---|"]
    definitions = schema.get("$defs", {})
    for key, value in schema["properties"].items():
        about = value.get("description", "")
        rows.append(f"| `{key}` | {_cell(_type(value, definitions))} | {_cell(about)} |")
    return "\n".join(rows) + "\n"


def _type(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "$ref" in value:
        return str(value["$ref"].rsplit("/", 1)[-1])
    for several in ("anyOf", "oneOf"):
        if several in value:
            return " or ".join(_type(each, definitions) for each in value[several])
    choices = value.get("enum")
    all_texts = choices and all(isinstance(each, str) for each in choices)
    kinds = value.get("type", "string" if all_texts else "any")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if text == "array" and "items" in value:
        return f"list of {_type(value['items'], definitions)}"
    return f"{text}: {', '.join(f'`{each}`' for each in choices)}" if choices else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _wrapped(text: str) -> str:
    return fill(text, width=98, break_long_words=False, break_on_hyphens=False) + "\n"
