"""How far a change has come: a file of one line for each step, on disk before the step is taken.

A line is a check sum, a blank, and a JSON object. Only whole lines count: what a crash left
of the last one is ignored. The check sum covers the checkpoint's id, so that a block of an older
journal, which a crash may leave in a file's place on some file systems, is not taken for a line.
"""

from __future__ import annotations

import errno
import json
import os
import time
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot import codec
from secboot.digest import digest
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LIMIT = 1 << 20


class State(StrEnum):
    """Where a change stands. A checkpoint whose journal is empty is PREPARED."""

    PREPARED = "prepared"
    """Everything to go back with is saved; no file has been changed."""
    WRITING = "writing"
    """Files are being replaced; each is the old or the new one."""
    COMMITTING = "committing"
    """Every file is the new one; zipl may have run, in part or in whole."""
    DONE = "done"
    ROLLING_BACK = "rolling back"
    """Files are being put back; zipl has to run again if COMMITTING was reached."""
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    """Putting back failed; it is tried again by the next writing command."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self in {State.DONE, State.ROLLED_BACK}


class JournalEntry(NamedTuple):
    """One step: the state that begins, when (RFC 3339, UTC), and what else is worth knowing."""

    state: State
    at: str
    facts: Mapping[str, object] = MappingProxyType({})

    def to_document(self) -> dict[str, object]:
        """Return one object: the facts stand beside the state and the time."""
        return {"state": self.state, "at": self.at, **self.facts}


class _Head(NamedTuple):
    """What every line has; the rest of it is facts."""

    state: State
    at: str


def now() -> str:
    """The present moment in UTC as RFC 3339 has it, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def state_of(entries: Sequence[JournalEntry]) -> State:
    """The state that a journal ends in."""
    return entries[-1].state if entries else State.PREPARED


def parse_journal(data: bytes, checkpoint: str) -> tuple[tuple[JournalEntry, ...], int]:
    """The entries of a journal, and how many bytes of it hold them; the rest is torn.

    Raises ParseError for a whole line that is no entry: another version of secboot wrote it.
    """
    entries = []
    valid = 0
    for line in data.splitlines(keepends=True):
        entry = _parse_line(line, checkpoint)
        if entry is None:
            break
        entries.append(entry)
        valid += len(line)
    return tuple(entries), valid


def format_line(entry: JournalEntry, checkpoint: str) -> bytes:
    """The line for `entry`, with its newline."""
    text = json.dumps(codec.encode(entry), sort_keys=True)
    return f"{_check_sum(text, checkpoint)} {text}\n".encode("ascii")


def _parse_line(line: bytes, checkpoint: str) -> JournalEntry | None:
    check_sum, _, text = line.decode("ascii", "replace").partition(" ")
    if not text.endswith("\n") or check_sum != _check_sum(text[:-1], checkpoint):
        return None
    found = codec.parse(text, "journal")
    head = codec.decode(_Head, found, "journal")
    facts = found if isinstance(found, dict) else {}
    return JournalEntry(*head, {key: facts[key] for key in facts if key not in _Head._fields})


def _check_sum(text: str, checkpoint: str) -> str:
    return digest(f"{checkpoint}\n{text}".encode("ascii", "replace"))[:16]


class Journal:
    """The journal of one checkpoint, open for writing. `file` is taken over.

    Every method raises OSError.
    """

    def __init__(self, file: int, checkpoint: str) -> None:
        self._file = file
        self._checkpoint = checkpoint
        entries, self._length = parse_journal(os.pread(file, _LIMIT, 0), checkpoint)
        self.entries = list(entries)

    @property
    def state(self) -> State:
        """Where the change stands."""
        return state_of(self.entries)

    @property
    def has_committed(self) -> bool:
        """Whether zipl may have run since the files were replaced."""
        return any(entry.state is State.COMMITTING for entry in self.entries)

    def append(self, state: State, facts: Mapping[str, object] | None = None) -> None:
        """Begin `state`; on disk when this returns."""
        entry = JournalEntry(state, now(), facts or {})
        line = format_line(entry, self._checkpoint)
        # At the end of the last whole line: what a failed attempt left there does not count.
        if os.pwrite(self._file, line, self._length) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(self._file)
        self._length += len(line)
        self.entries.append(entry)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)
