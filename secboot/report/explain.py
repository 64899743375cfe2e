"""What a finding means and what to do about it, as text or JSON (schema ``secboot/explain/1``).

The explanations are in ``findings.md`` next to this module, from which ``packaging/generate`` also
makes the page of the documentation. There, ``#`` begins a group and ``##`` a code; the line after it
says what the code means, then comes why it matters, and last a list with what to do and the source
of the rule. ``test_findings.py`` checks that every code that secboot can print is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import secboot
from secboot.errors import UsageError
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from secboot.report.style import Style

SCHEMA = "secboot/explain/1"
_WIDEST = 100
"""Longer lines are hard to read."""
_OF_THE_MACHINE = "machine."
"""The prefix of a notice's code in its check (`secboot.status.checks`)."""
_ANY_PARAMETER = "PARAMETER"
_NEAR = 3
_ALIKE = 0.75
"""How many codes are suggested at most, and how similar they must be (difflib's ratio)."""
_WORD_LENGTH = 4
"""A text of at least this many letters also suggests the codes that contain it."""
_TO_DO = "What to do"
_SOURCE = "Source"
_CODE = r"`([^`]*)`"
_WORD = r"(?:`[^`]*`|[^\s`])+"
"""What must stay on one line: a word, with the code in it."""


class Explanation(NamedTuple):
    """What a code means, why it matters, what to do, and the source of its rule, in Markdown.

    `code` is a number for an exit code. `summary` is one sentence or two; the others may be None.
    """

    code: str
    group: str
    summary: str
    why: str | None
    what_to_do: str | None
    source: str | None


class Group(NamedTuple):
    """Codes that occur in the same place; `about` is what they have in common, or empty."""

    title: str
    about: str
    explanations: tuple[Explanation, ...]


def source() -> str:
    """Return the Markdown of all explanations, read by the package's loader from file or archive."""
    loader = getattr(secboot, "__loader__")  # noqa: B009 - not declared for packages
    path = f"{secboot.__path__[0]}/report/findings.md"
    return bytes(loader.get_data(path)).decode("utf-8")


def groups() -> tuple[Group, ...]:
    """Return all explanations in the order of their source."""
    _, *parts = source().split("\n# ")
    return tuple(map(_group, parts))


def _group(text: str) -> Group:
    head, *sections = text.split("\n## ")
    title, _, about = head.strip().partition("\n")
    return Group(title, about.strip(), tuple(_explanation(title, each) for each in sections))


def _explanation(group: str, section: str) -> Explanation:
    code, summary, *lines = [line for line in section.split("\n") if line]
    why = " ".join(line for line in lines if not line.startswith("- "))
    items = dict(line.removeprefix("- ").split(": ", 1) for line in lines if line.startswith("- "))
    return Explanation(code, group, summary, why or None, items.get(_TO_DO), items.get(_SOURCE))


def explained(codes: Sequence[str]) -> tuple[Explanation, ...]:
    """Return the explanations of `codes` as typed: codes, checks of ``verify``, exit codes.

    Raises UsageError for an unknown code, with the codes that were probably meant.
    """
    known = {each.code: each for group in groups() for each in group.explanations}
    return tuple(_found(code, known) for code in dict.fromkeys(codes))


def _found(typed: str, known: Mapping[str, Explanation]) -> Explanation:
    """Return what is meant: a code, a check, or the part of a code after its dot."""
    name = typed.strip("[]").removeprefix(_OF_THE_MACHINE)
    short = [code for code in known if code.partition(".")[2] == name]
    if name not in known and len(short) == 1:
        (name,) = short
    stage, dot, parameter = name.partition(".")
    if name not in known and parameter and f"{stage}{dot}{_ANY_PARAMETER}" in known:
        return known[f"{stage}{dot}{_ANY_PARAMETER}"]._replace(code=name)
    if name in known:
        return known[name]
    raise UsageError(f"'{typed}' is not a secboot code", hint=_hint(name, short, known))


def _hint(name: str, short: Sequence[str], known: Mapping[str, Explanation]) -> str:
    near = short or list(dict.fromkeys([*_alike(name, known), *_with_word(name, known)]))[:_NEAR]
    every = "list all codes: secboot explain --list"
    if not near:
        return every
    *others, last = near
    named = f"{', '.join(others)} or {last}" if others else last
    return f"did you mean {named}?\n{every}"


def _alike(name: str, known: Mapping[str, Explanation]) -> list[str]:
    """Return the codes with a similar spelling, as a whole or after their dots."""
    from difflib import get_close_matches

    parameter = name.partition(".")[2] or _ANY_PARAMETER
    every = {code.replace(_ANY_PARAMETER, parameter): code for code in known}
    tails = {code.rpartition(".")[2]: code for code in every if code in known}
    said = name.lower().replace("_", "-")
    return [
        tails.get(each, each) for each in get_close_matches(said, [*every, *tails], _NEAR, _ALIKE)
    ]


def _with_word(name: str, known: Mapping[str, Explanation]) -> list[str]:
    """Return the codes that contain the whole of this text."""
    return [code for code in known if name in code] if len(name) >= _WORD_LENGTH else []


def explain_text(found: Iterable[Explanation], columns: int, style: Style) -> str:
    """Return each explanation after its code, wrapped between words."""
    return "\n".join(_explained(each, columns, style) for each in found)


def _explained(each: Explanation, columns: int, style: Style) -> str:
    heading = f"exit code {each.code}" if each.code.isdecimal() else visible(each.code)
    lines = [style.bold(heading)]
    for label, text in (
        ("", each.summary),
        ("", each.why),
        (f"{_TO_DO}: ", each.what_to_do),
        (f"{_SOURCE}: ", each.source),
    ):
        if text is not None:
            later = "    " if label else "  "
            lines += _filled(f"{label}{text}", later, min(columns, _WIDEST), style)
    return "".join(f"{line}\n" for line in lines)


def list_text(columns: int | None, style: Style) -> str:
    """Return every code with its summary, group by group; without `columns`, one line each."""
    lines = []
    for group in groups():
        lines.append(style.bold(group.title))
        for each in group.explanations:
            lines += _filled(f"`{each.code}`: {each.summary}", "      ", columns, style)
        lines.append("")
    lines.append("See what to do: secboot explain CODE")
    return "".join(f"{line}\n" for line in lines)


def _filled(text: str, indent: str, columns: int | None, style: Style) -> list[str]:
    """Wrap a line of Markdown: the first line is indented by two columns, later ones by `indent`.

    Code in it is never broken, so that it can be copied.
    """
    lines: list[str] = []
    room = 0
    for word in re.findall(_WORD, text):
        length = len(word.replace("`", ""))
        shown = re.sub(_CODE, lambda code: style.bold(code[1]), word)
        if not lines or (columns is not None and room < length + 1):
            lines.append(f"{indent if lines else '  '}{shown}")
            room = (columns or 0) - len(indent if len(lines) > 1 else "  ") - length
        else:
            lines[-1] += f" {shown}"
            room -= length + 1
    return lines


def explain_document(found: Iterable[Explanation]) -> dict[str, Any]:
    """Return the same as a JSON document; its strings are Markdown."""
    return {"schema": SCHEMA, "explanations": [each._asdict() for each in found]}
