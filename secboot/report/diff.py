"""Unified diffs of boot files, with everything visible that a terminal would hide."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.plan.model import FileChange

NO_NEWLINE = "\\ No newline at end of file"


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
    for line in difflib.unified_diff(old, new, old_name, new_name, lineterm=""):
        if line.startswith(("---", "+++", "@@")) and not line.endswith("\n"):
            yield line
            continue
        if line.endswith("\n"):
            yield visible(line[:-1])
        else:
            yield visible(line)
            yield NO_NEWLINE


def _split(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])
