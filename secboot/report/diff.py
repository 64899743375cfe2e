"""Unified diffs of boot files, with everything visible that a terminal would hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.report.matching import LineMatcher
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.plan.plan import FileChange

NO_NEWLINE = "\\ No newline at end of file"
CONTEXT_LINES = 3


def unified_diff(
    change: FileChange, labels: tuple[str, str] = ("now", "planned")
) -> tuple[str, ...]:
    """Return the lines of a unified diff, as ``diff -u`` prints it, without their line ends.

    `labels` say which content is which, behind the file's name.

    Control characters and bytes that are no text are shown escaped, a carriage return at the end
    of a line among them; so the diff is for reading, not for patch(1).
    """
    return tuple(_lines(change, *(f"{visible(change.path)} ({label})" for label in labels)))


def _lines(change: FileChange, old_name: str, new_name: str) -> Iterator[str]:
    old, new = _split(change.before), _split(change.after)
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
    """Return lines `start` to `end`, which count from 0, as the head of a hunk has them."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _split(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])
