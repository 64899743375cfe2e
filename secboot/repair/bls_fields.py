"""Lines of a BLS entry that zipl refuses or misreads, and that can be read in one way only."""

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
    """Move the title to the top of an entry that zipl misreads because of what stands above it.

    Others read the fields of an entry in any order (the Boot Loader Specification), and comments
    anywhere.
    """
    entry = damaged.entry(finding)
    if entry is None or not title_is_below(entry) or not (entry.misread or _refuses(entry)):
        return None
    lines = split_lines(entry.text)
    index = next(n for n, line in enumerate(lines) if line.startswith("title"))
    title = lines.pop(index)
    if not title.endswith("\n"):
        # It was the last line, and the one that becomes the last has no newline either.
        lines[-1], title = lines[-1].removesuffix("\n"), f"{title}\n"
    after = "".join([title, *lines])
    action = "the title is moved to the top: zipl misreads what stands above it"
    return Repair(action, (edit_between(entry.path, entry.text, after),))


def _refuses(entry: BlsEntry) -> bool:
    return any(problem.code == "bls.field" for problem in entry.problems)


def indented_title(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Take the blanks off the only title: zipl takes one at the very beginning of a line."""
    entry = damaged.entry(finding)
    if entry is None or finding.code != "zipl.bls-no-title":
        return None
    found = [line for line in entry.lines if _INDENTED_TITLE.fullmatch(line.text)]
    if len(found) != 1:
        return "the entry has no title, and only you know what to call it"
    text = found[0].text.lstrip(" \t")
    action = "the blanks before the title are removed"
    return Repair(action, (replaced(entry.path, found[0].number, text),))


def key_alone(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove a key without a value, if zipl takes nothing from it; turn ``;`` into ``#``."""
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
        action = "';' becomes '#', with which comments begin"
        return Repair(action, (replaced(entry.path, number, text),))
    found = _KEY_ALONE.fullmatch(text.removesuffix("\n"))
    if found is None or parameters_in(text):
        return None
    line = entry.lines[number - 1]
    # With a blank behind it zipl would take the key for one of its own.
    meaning = meaning_of(found[1])
    if meaning is None:
        return Repair(
            f"the key '{found[1]}', which has no value, is removed",
            (Edit(entry.path, number - 1, number),),
        )
    if any(each.meaning is meaning and each.value for each in entry.lines if each is not line):
        return Repair(
            f"the key '{found[1]}' without a value is removed: another line has one",
            (Edit(entry.path, number - 1, number),),
        )
    return f"'{found[1]}' has no value, and only you know it" + (
        ": without it the kernel would get no parameters" if meaning is BlsKey.OPTIONS else ""
    )
