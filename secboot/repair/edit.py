"""A repair: the line edits that fix what a finding reports, and a description of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.errors import RefusedError
from secboot.formats.text import split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from secboot.finding import Finding
    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_line import ConfLine
    from secboot.machine.discovery import Machine


class Edit(NamedTuple):
    """Replace the lines from `start` up to, but not including, `end` with `lines`; counted from 0.

    `lines` have their newlines.
    """

    path: str
    start: int
    end: int
    lines: tuple[str, ...] = ()

    def overlaps(self, other: Edit) -> bool:
        """Whether both change the same place in a file."""
        if self.path != other.path:
            return False
        return self.start <= other.end and other.start <= self.end


class Repair(NamedTuple):
    """What to do to a file, as an imperative clause, and the edits that do it."""

    action: str
    edits: tuple[Edit, ...]


class Damaged(NamedTuple):
    """A machine whose boot files need a repair, and their texts by path.

    In `memo` rules keep results that they have computed for this state of the files.
    """

    machine: Machine
    texts: Mapping[str, str]
    memo: dict[str, Any]

    @property
    def conf_path(self) -> str:
        """The path of zipl.conf."""
        return self.machine.configuration.conf.path

    def line(self, finding: Finding) -> str | None:
        """Return the text of the line that a finding is about, including its newline."""
        place = finding.location
        if place is None or place.line is None or place.path not in self.texts:
            return None
        key = f"lines of {place.path}"
        lines = self.memo.setdefault(key, None) or split_lines(self.texts[place.path])
        self.memo[key] = lines
        return lines[place.line - 1] if place.line <= len(lines) else None

    def conf_line(self, finding: Finding) -> ConfLine | None:
        """Return the line of zipl.conf that a finding is about; None if it is about another file."""
        place, lines = finding.location, self.machine.configuration.conf.lines
        if place is None or place.path != self.conf_path or place.line is None:
            return None
        return lines[place.line - 1] if place.line <= len(lines) else None

    def entry(self, finding: Finding) -> BlsEntry | None:
        """Return the BLS entry that a finding is about; None if it is about another file."""
        path = None if finding.location is None else finding.location.path
        return next((e for e in self.machine.configuration.bls if e.path == path), None)


def require_headings(damaged: Damaged, but: Collection[int] = ()) -> None:
    """Raise RefusedError if zipl refuses a line of zipl.conf, except the lines in `but`.

    Such a line could be a heading; then the lines after it belong to a different section.
    """
    for line in damaged.machine.configuration.conf.lines:
        if line.problem is not None and line.number not in but:
            raise RefusedError(f"line {line.number} must be corrected first")


def replaced(path: str, number: int, *texts: str) -> Edit:
    """Return the edit that replaces line `number` with other lines, which have their newlines."""
    return Edit(path, number - 1, number, texts)


def edit_between(path: str, before: str, after: str) -> Edit:
    """Return the edit that turns one text into another: from the first to the last differing line."""
    old, new = split_lines(before), split_lines(after)
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n] != new[n]), least)
    tail = next((n for n in range(least - head) if old[-1 - n] != new[-1 - n]), least - head)
    return Edit(path, head, len(old) - tail, tuple(new[head : len(new) - tail]))


def apply_edits(lines: Sequence[str], edits: Iterable[Edit]) -> list[str]:
    """Return the lines of a file after edits that do not overlap."""
    found = list(lines)
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        found[edit.start : edit.end] = edit.lines
    return found
