"""Unified diffs of boot files, with everything visible that a terminal would hide.

difflib alone is slow for long files: it searches for the longest run of equal lines, then again
before and after it, so a file of 1,000 sections that all change takes 2,000 searches through the
rest. But most lines of boot files are unique: headings, titles, names of kernels. Unique lines are
paired first (as in a patience diff), and difflib only gets the few lines between two pairs.
"""

from __future__ import annotations

from collections import Counter
from difflib import Match, SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING

from secboot.formats.text import decoded
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.system.files import FileChange

NO_NEWLINE = "\\ No newline at end of file"
CONTEXT_LINES = 3
_COMPARISONS = 4_000_000
"""The limit for lines that occur several times; beyond it, all of them are shown as changed."""


PLANNED = ("now", "planned")
"""The default labels of the two contents."""


def unified_diff(change: FileChange, labels: tuple[str, str] = PLANNED) -> tuple[str, ...]:
    """Return the lines of a unified diff, as ``diff -u`` prints it, without their line ends.

    `labels` say which content is which, after the file's name.

    Control characters and bytes that are not text are escaped, including a carriage return at the
    end of a line; so the diff is for reading, not for patch(1).
    """
    return tuple(_lines(change, *(f"{visible(change.path)} ({label})" for label in labels)))


def _lines(change: FileChange, old_name: str, new_name: str) -> Iterator[str]:
    old, new = _split(change.before or b""), _split(change.after or b"")
    if old == new:
        return
    yield f"--- {old_name}"
    yield f"+++ {new_name}"
    for group in LineMatcher(old, new).get_grouped_opcodes(CONTEXT_LINES):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from _marked(" ", old[old_start:old_end])
            else:
                yield from _marked("-", old[old_start:old_end])
                yield from _marked("+", new[new_start:new_end])


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if line.endswith("\n"):
            yield visible(mark + line[:-1])
        else:
            yield visible(mark + line)
            yield NO_NEWLINE


def _range(start: int, end: int) -> str:
    """Return the lines from `start` up to `end`, counted from 0, in the form of a hunk's header."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _split(data: bytes) -> list[str]:
    text = decoded(data)
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


class LineMatcher(SequenceMatcher[str]):
    """A `SequenceMatcher` of lines that finds its matching blocks as described above."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self._blocks = [*_joined(_blocks(old, new)), Match(len(old), len(new), 0)]

    def get_matching_blocks(self) -> list[Match]:
        """Return the blocks in order; the last one is empty and is at both ends."""
        return self._blocks


def _blocks(old: Sequence[str], new: Sequence[str]) -> Iterator[Match]:
    """Yield the matching blocks in order; blocks can be adjacent."""
    pairs = [(-1, -1), *_unique_pairs(old, new), (len(old), len(new))]
    for (a, b), (next_a, next_b) in pairwise(pairs):
        before, after = old[a + 1 : next_a], new[b + 1 : next_b]
        if a >= 0:
            yield Match(a, b, 1)
        for block in _between(before, after):
            yield Match(a + 1 + block.a, b + 1 + block.b, block.size)


def _between(old: Sequence[str], new: Sequence[str]) -> Iterator[Match]:
    """Yield the matching blocks among lines that are repeated, or in one of the texts only."""
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n] != new[n]), least)
    tail = next((n for n in range(least - head) if old[-1 - n] != new[-1 - n]), least - head)
    yield Match(0, 0, head)
    middle, other = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle) * len(other) <= _COMPARISONS:
        matcher = SequenceMatcher(None, middle, other, autojunk=False)
        for block in matcher.get_matching_blocks():
            yield Match(head + block.a, head + block.b, block.size)
    yield Match(len(old) - tail, len(new) - tail, tail)


def _joined(blocks: Iterator[Match]) -> Iterator[Match]:
    """Join blocks that are adjacent in both texts, and drop empty ones."""
    held = Match(0, 0, 0)
    for block in blocks:
        if (held.a + held.size, held.b + held.size) == (block.a, block.b):
            held = Match(held.a, held.b, held.size + block.size)
            continue
        if held.size:
            yield held
        held = block
    if held.size:
        yield held


def _unique_pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the positions of lines that occur once in each text, as far as they keep their order."""
    found = _once(new)
    last = -1
    for line, index in _once(old).items():
        number = found.get(line, -1)
        if number > last:
            last = number
            yield index, number


def _once(lines: Sequence[str]) -> dict[str, int]:
    counted = Counter(lines)
    return {line: index for index, line in enumerate(lines) if counted[line] == 1}
