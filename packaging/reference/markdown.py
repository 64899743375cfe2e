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
    from collections.abc import Iterable, Iterator

_SCHEMAS = Path(secboot.__file__).parent / "report" / "schemas"
_CHANGES = """\
`made` says when the document was made, on which machine and by which secboot. If SOURCE_DATE_EPOCH
is set, it gives the time and no host is named, so that builds are reproducible.

A command that fails or is refused prints `secboot/failure/1` instead of the requested document;
standard error has the same for people.

## Versions of a document

- A later version of secboot can add keys, and codes of findings, without a new number. Readers must ignore keys that they do not know; the schemas accept them.
- The number increases when a key is removed, changes its type or its meaning, or gets a value that is not in its list of values.
- secboot prints one number of each document, the newest. `secboot fleet` also reads the earlier ones.
- `secboot/saved-plan` is for the same machine and version: `apply FILE` refuses a plan that differs in any key.
- A profile is not such a document. It is input, so secboot refuses keys that it does not know; `version` in it is the number of the format.

## Changes since 0.1.0

Everything that is wrong or worth knowing now has one form in all documents, the [finding](#finding).
`secboot explain CODE` and [the page about findings](findings.md) describe the codes.

| document | change |
|---|---|
| `secboot/status/2` | `advice` (`why`, `next_step`) is now `causes`, a list of findings; `notices` are findings; `new_kernel` has no `source`, but names what prevents it |
| `secboot/verify/2` | the same for the `advice` of a check |
| `secboot/fleet/2` | `remarks` (`why`, `next_step`) are now `findings` |
| `secboot/show/2` | `unfinished_change` is a finding; `boot_record` is as in `status` |
| `secboot/profiles/2` | `problem` is now `problems`, a list of findings |
| `secboot/plan/2` | `profile` is null in the plan of a first configuration (`init`); the `status` of an entry can be `add` or `remove` |
| `secboot/apply/2` | the same for its `plan`; the `boot_record` of a recovered change can be `kept` |
| `secboot/rollback/2` | the same for the `boot_record` |
| `secboot/history/2` | the `action` of a change can be `fix` or `init` |
| `secboot/check/2` | the `location` of an error or warning can be null |

`secboot/profile/1` has at most new keys. `secboot fleet` also reads the documents of 0.1.0. Plans that 0.1.0
saved must be made again: `plan --out` writes a document of its own, `secboot/saved-plan/1`.
"""
_GENERATED = "`packaging/generate` writes this page from the sources of secboot.\n"


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
            "`--output json` prints one document. Its key `schema` names the document and the number "
            "of its form. The output is ASCII. Bytes of a file that are not UTF-8 are lone surrogates (`\\udcXX`), as "
            "with Python's `surrogateescape`. The JSON Schemas are in `secboot/report/schemas` (wheel and "
            "source), and the RPM and Debian packages install them in `/usr/share/secboot/schemas`; this page "
            "shows the descriptions in them. In the tables, "
            "`a.b` is the key `b` of the object `a`, and `a[].b` that of each object in the list `a`."
        ),
        _CHANGES,
    ]
    schemas = {path.name: json.loads(path.read_text()) for path in sorted(_SCHEMAS.glob("*.json"))}
    parts += [_document(schema, file) for file, schema in schemas.items()]
    parts.append(_shared({k: v for each in schemas.values() for k, v in each["$defs"].items()}))
    return "\n".join(parts)


def findings_page() -> str:
    """Return the page on all codes, from what ``secboot explain`` prints."""
    parts = [
        "# Findings and exit codes\n",
        _GENERATED,
        _wrapped(
            "Every finding has a code: `secboot check` prints it in brackets, `secboot verify` as the "
            "name of a check, JSON documents as `code`. `secboot explain CODE` prints the same as this "
            "page."
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
    # GitHub and MyST drop the dot from the anchor of a heading, so a link target is added.
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
    head = f"## `{name}`\n\n{schema['title']}. Schema: `secboot/report/schemas/{file}`.\n\n"
    return head + _fields(schema)


def _shared(definitions: dict[str, Any]) -> str:
    parts = ["## Types\n", "These objects occur in several documents.\n"]
    for name, definition in sorted(definitions.items()):
        parts += [f"### {_title(name)}\n", f"{definition['description']}\n", _fields(definition)]
    return "\n".join(parts)


def _fields(schema: dict[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_cell(_type(value))} | {_cell(value['description'])} |"
        for key, value in _flat(schema, "")
    ]
    return "\n".join(["| key | type | meaning |", "|---|---|---|", *rows]) + "\n"


def _flat(schema: dict[str, Any], above: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each key by its path, with the keys of the objects in it: ``a.b``, ``list[].b``."""
    for key, value in schema.get("properties", {}).items():
        yield f"{above}{key}", value
        if key == "plan" and "schema" in value.get("properties", {}):
            continue  # it is a document of its own
        for each in (value, *value.get("anyOf", ())):
            yield from _flat(each, f"{above}{key}.")
            yield from _flat(each.get("items", {}), f"{above}{key}[].")


def _type(value: dict[str, Any]) -> str:
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"[{_title(name)}](#{_title(name).replace(' ', '-')})"
    if "anyOf" in value:
        return " or ".join(_type(each) for each in value["anyOf"])
    if "enum" in value:
        return ", ".join(f"`{json.dumps(each)}`" for each in value["enum"])
    kinds = value.get("type", "any")
    own = value.get("properties", {}).get("schema")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if own is not None:
        name = own["const"]
        text = f"[{name}](#{name.replace('/', '')})"
    if text.startswith("array"):
        return text.replace("array", f"list of {_several(value['items'])}")
    return text


def _several(items: dict[str, Any]) -> str:
    text = _type(items)
    if text.startswith("list of "):
        return text.replace("list", "lists", 1)
    return f"{text}s" if text in {"object", "string", "integer"} else text


def _title(name: str) -> str:
    return name.replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _wrapped(text: str) -> str:
    return fill(text, width=98, break_long_words=False, break_on_hyphens=False) + "\n"
