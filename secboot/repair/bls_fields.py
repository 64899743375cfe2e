"""Repair lines of a BLS entry that zipl refuses or misreads, and that have only one possible meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.bls_entry import BlsKey, meaning_of
from secboot.formats.text import split_lines
from secboot.kernel.parameter_names import parameters_in
from secboot.repair.edit import Damaged, Edit, Repair, edit_between, replaced
from secboot.zipl.advice import title_is_below

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.formats.bls_entry import BlsEntry

_KEY_ALONE = re.compile(r"[ \t]*([0-9A-Za-z_-]+)")
_INDENTED_TITLE = re.compile(r"[ \t]+(title[ \t]+[^ \t\n].*)", re.DOTALL)


def title_below(damaged: Damaged, finding: Finding) -> Repair | None:
    """Move the title to the top of an entry that zipl misreads because of the lines above it.

    Other programs accept the fields in any order (the Boot Loader Specification), and comments
    anywhere.
    """
    entry = damaged.entry(finding)
    if entry is None or not title_is_below(entry) or not (entry.misread or _refuses(entry)):
        return None
    lines = split_lines(entry.text)
    index = next(n for n, line in enumerate(lines) if line.startswith("title"))
    title = lines.pop(index)
    if not title.endswith("\n"):
        # The title was the last line, without a newline; neither has the new last line one.
        lines[-1], title = lines[-1].removesuffix("\n"), f"{title}\n"
    after = "".join([title, *lines])
    action = "move the title to the top: zipl misreads the lines above it"
    return Repair(action, (edit_between(entry.path, entry.text, after),))


def _refuses(entry: BlsEntry) -> bool:
    return any(problem.code == "bls.field" for problem in entry.problems)


def indented_title(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove the blanks before the only title: zipl accepts it only at the start of a line."""
    entry = damaged.entry(finding)
    if entry is None or finding.code != "zipl.bls-no-title":
        return None
    found = [line for line in entry.lines if _INDENTED_TITLE.fullmatch(line.text)]
    if len(found) != 1:
        return "the entry has no title; only you can choose one"
    text = found[0].text.lstrip(" \t")
    action = "remove the blanks before the title"
    return Repair(action, (replaced(entry.path, found[0].number, text),))


def key_alone(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove a key without a value, if it has no effect in zipl; replace ``;`` with ``#``."""
    entry, text = damaged.entry(finding), damaged.line(finding)
    if (
        entry is None
        or text is None
        or finding.code != "zipl.bls-field"
        or finding.location is None
    ):
        return None
    number = finding.location.line or 1
    if text.lstrip(" \t").startswith(";"):
        text = text.replace(";", "#", 1)
        action = "replace ';' with '#', which starts comments"
        return Repair(action, (replaced(entry.path, number, text),))
    found = _KEY_ALONE.fullmatch(text.removesuffix("\n"))
    if found is None or parameters_in(text):
        return None
    line = entry.lines[number - 1]
    # With a blank after it, zipl would recognize the key.
    meaning = meaning_of(found[1])
    if meaning is None:
        return Repair(
            f"remove the key '{found[1]}', which has no value",
            (Edit(entry.path, number - 1, number),),
        )
    if any(each.meaning is meaning and each.value for each in entry.lines if each is not line):
        return Repair(
            f"remove the key '{found[1]}' without a value: another line has one",
            (Edit(entry.path, number - 1, number),),
        )
    return f"'{found[1]}' has no value; only you know which one is meant" + (
        " (without it the kernel would get no parameters)" if meaning is BlsKey.OPTIONS else ""
    )
