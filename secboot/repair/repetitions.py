"""Remove the second of two equal statements. If they differ, a person must decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.bls_entry import BlsKey
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_line import LineKind
from secboot.repair.edit import Damaged, Edit, Repair, replaced, require_headings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.finding import Finding
    from secboot.formats.bls_entry import BlsEntry, BlsLine
    from secboot.formats.zipl_conf import ConfSection
    from secboot.formats.zipl_line import ConfLine

_IN_SECTIONS = frozenset({"zipl.keyword-twice", "zipl.position-twice"})
_TWO_TITLES = "zipl.bls-two-titles"
_OF_FIELDS = frozenset({"zipl.keyword-twice", _TWO_TITLES})
_OF_BLOCKS = frozenset({"zipl.section-twice", "zipl.menu-twice"})


def repeated_block(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove a second section or menu with the same name and the same assignments as the first."""
    if finding.code not in _OF_BLOCKS:
        return None
    line, entry = damaged.conf_line(finding), damaged.entry(finding)
    if line is None:
        return None if entry is None else _same_title(damaged, entry)
    doubt = _doubt(damaged)
    if doubt is not None:
        return doubt
    blocks = damaged.machine.configuration.conf.blocks
    second = next(block for block in blocks if block.heading.number == line.number)
    first = next(
        block for block in blocks if (block.is_menu, block.name) == (second.is_menu, second.name)
    )
    if first.heading is second.heading or _said(first) != _said(second):
        return f"'{second.name}' exists twice with different content: keep one of them"
    edits = [replaced(damaged.conf_path, each.number) for each in _statements(second)]
    return Repair(
        f"remove the second '{second.name}', which is the same as the first",
        tuple(_joined(edits)),
    )


def _doubt(damaged: Damaged) -> str | None:
    """Say why it is unknown which lines belong to a section."""
    try:
        require_headings(damaged)
    except RefusedError as error:
        return error.message
    return None


def _same_title(damaged: Damaged, entry: BlsEntry) -> str | None:
    others = [
        each.path
        for each in damaged.machine.configuration.entries
        if each.name == entry.title and each.path != entry.path
    ]
    if not others:
        return None
    return f"{others[0]} has the same title: change one of the titles, or remove one of the files"


def repeated_line(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Remove a second assignment of a keyword or menu position that has the same value."""
    line = damaged.conf_line(finding)
    if line is None or finding.code not in _IN_SECTIONS:
        return None
    doubt = _doubt(damaged)
    if doubt is not None:
        return doubt
    blocks = damaged.machine.configuration.conf.blocks
    block = next(block for block in reversed(blocks) if block.heading.number < line.number)
    first = next(each for each in block.assignments if _target(each) == _target(line))
    if first.number == line.number or _value(first) != _value(line):
        return "an earlier line has a different value: keep one of them"
    return Repair(
        "remove it: an earlier line has the same value",
        (replaced(damaged.conf_path, line.number),),
    )


def repeated_field(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Join the `options` lines of a BLS entry; for other fields, remove a second one that is equal.

    The Boot Loader Specification allows several `options` lines, which are joined in order; zipl
    accepts only one. grubby writes the joined value into each of them, so equal lines count once.
    """
    entry = damaged.entry(finding)
    if entry is None or finding.code not in _OF_FIELDS or entry.misread:
        return None
    is_title = finding.code == _TWO_TITLES
    fields = [line for line in entry.lines if line.meaning is not None]
    number = None if finding.location is None else finding.location.line
    second = next((line for line in fields if line.number == number), None)
    if second is None or (second.meaning is BlsKey.TITLE) != is_title:
        return None
    first = next(line for line in fields if line.meaning is second.meaning)
    return None if first is second else _as_one(entry, first, second)


def _as_one(entry: BlsEntry, first: BlsLine, second: BlsLine) -> Repair | str:
    if first.value == second.value:
        action = f"remove the second '{second.key}', which is the same as the first"
        return Repair(action, (replaced(entry.path, second.number),))
    if second.meaning is not BlsKey.OPTIONS:
        return (
            f"an earlier line has a different '{first.key}', and zipl accepts one: keep one of them"
        )
    if CommandLine.parse(first.value).unterminated_quote:
        return (
            "a double quote in the first options line is not closed: it could end in several places"
        )
    return Repair(
        "join the two options lines, as in the Boot Loader Specification",
        (_joined_options(entry, first, second), replaced(entry.path, second.number)),
    )


def _joined_options(entry: BlsEntry, first: BlsLine, second: BlsLine) -> Edit:
    value = " ".join(filter(None, (first.value, second.value)))
    text = f"{first.text[: first.start]}{value}{first.text[first.end :]}"
    return replaced(entry.path, first.number, text)


def _said(block: ConfSection) -> set[tuple[object, object]]:
    return {(_target(line), _value(line)) for line in block.assignments}


def _target(line: ConfLine) -> object:
    return line.keyword if line.position is None else line.position


def _value(line: ConfLine) -> str | None:
    return None if line.value is None else line.value.text


def _statements(block: ConfSection) -> Iterator[ConfLine]:
    """Yield the heading and all lines up to the last assignment, except comments."""
    end = block.assignments[-1].number if block.assignments else block.heading.number
    yield block.heading
    for line in block.lines:
        if line.number <= end and line.kind is not LineKind.COMMENT:
            yield line


def _joined(edits: list[Edit]) -> Iterator[Edit]:
    """Join removals of adjacent lines."""
    held = edits[0]
    for edit in edits[1:]:
        if edit.start == held.end:
            held = held._replace(end=edit.end)
            continue
        yield held
        held = edit
    yield held
