"""Unified diffs of boot files, with everything visible that a terminal would hide."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.plan.model import FileChange

NO_NEWLINE = "\\ No newline at end of file"


def unified_diff(change: FileChange) -> tuple[str, ...]:
    """Return the lines of a unified diff, as ``diff -u`` prints it, without their line ends.

    Control characters and bytes that are no text are shown escaped, a carriage return at the end
    of a line among them; so the diff is for reading, not for patch(1).
    """
    return tuple(_lines(change.path, change.before, change.after))


def _lines(path: str, before: bytes, after: bytes) -> Iterator[str]:
    old, new = _split(before), _split(after)
    name = visible(path)
    for line in difflib.unified_diff(old, new, f"{name} (now)", f"{name} (planned)", lineterm=""):
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
