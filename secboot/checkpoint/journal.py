"""How far a change has progressed: a file with one line per step, on the disk before the step begins.

A line is a checksum, a space, and a JSON object; the last line is a checksum over all lines. For each
step the file is replaced as a whole, so no crash leaves a part of it: a file that does not match its
checksum is damaged, and is ignored (`secboot.checkpoint.checksum`).
"""

from __future__ import annotations

import json
import re
import time
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot import codec
from secboot.checkpoint.checksum import DamagedCheckpointError, checked, with_checksum
from secboot.digest import digest
from secboot.errors import ParseError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from secboot.system.directory import OpenDirectory

JOURNAL = "journal"
NEXT_JOURNAL = "journal.new"
"""The next journal until it replaces the current one; a crash may leave it."""
_WHOLE = b"whole "
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PROGRAMS = frozenset({"zipl", "grub2-mkconfig", "grub2-zipl-setup", "update-bootloader"})
"""What a layout runs to write the boot record; no other program has ever been recorded."""


PENDING = "pending"
"""Recorded if these programs must still be run."""


class State(StrEnum):
    """The state of a change. A checkpoint whose journal is empty is PREPARED."""

    PREPARED = "prepared"
    """Everything that a rollback needs is saved; no file has been changed."""
    WRITING = "writing"
    """Files are being replaced; each is the old one or the new one."""
    COMMITTING = "committing"
    """Every file is the new one; zipl may have run, partly or completely."""
    DONE = "done"
    ROLLING_BACK = "rolling back"
    """Files are being restored; zipl must run again if COMMITTING was reached."""
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    """The rollback failed; the next writing command tries again."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self in {State.DONE, State.ROLLED_BACK}


_BACK = frozenset({State.ROLLING_BACK, State.ROLLED_BACK, State.STUCK})
_NEXT: Mapping[State, frozenset[State]] = {
    State.PREPARED: _BACK | {State.WRITING},
    State.WRITING: _BACK | {State.COMMITTING, State.DONE},
    State.COMMITTING: _BACK | {State.DONE},
    State.ROLLING_BACK: _BACK,
    State.STUCK: _BACK,
    State.DONE: frozenset(),
    State.ROLLED_BACK: frozenset(),
}
"""Which states can follow a state. On a full disk a rollback continues without recording each step."""


class JournalEntry(NamedTuple):
    """One step: the state that begins, when (RFC 3339, UTC), and other facts worth knowing."""

    state: State
    at: str
    facts: Mapping[str, object] = MappingProxyType({})

    def to_document(self) -> dict[str, object]:
        """Return one object with the state, the time and the facts."""
        return {"state": self.state, "at": self.at, **self.facts}

    def flaw(self) -> str:
        """Return what no entry that secboot writes has; empty if there is nothing."""
        if not is_moment(self.at):
            return "has no valid time in UTC"
        for name, value in self.facts.items():
            if name not in _FACTS or not _FACTS[name](value):
                return f"has an unknown fact: {name}"
        return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_command(value: object) -> bool:
    """Whether this is the command line of one of `PROGRAMS`, perhaps with chroot."""
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return False
    words = value[2:] if value[:1] == ["chroot"] else value
    return words[:1] != [] and words[0] in PROGRAMS


def _is_list_of(kind: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, list) and all(map(kind, value))


def _is_run(value: object) -> bool:
    """Whether this is what a run of the programs is recorded as, or why there was none."""
    if not isinstance(value, dict):
        return value in (PENDING, "not-needed")
    return all(name in _OF_A_RUN and _OF_A_RUN[name](value[name]) for name in value)


_OF_A_RUN: Mapping[str, Callable[[object], bool]] = {
    "argv": _is_command,
    "status": _is_number,
    "seconds": _is_number,
    "before": lambda value: _is_list_of(_is_command, value),
}
_FACTS: Mapping[str, Callable[[object], bool]] = {
    "reason": lambda value: isinstance(value, str),
    "boot_record": lambda value: value in ("untouched", "written", "pending", "kept"),
    "left": lambda value: _is_list_of(
        lambda path: isinstance(path, str) and path.startswith("/"), value
    ),
    "zipl": _is_run,
}
"""The facts that a step can have, by name, and which values are valid."""


class _Head(NamedTuple):
    """What every line has; everything else is facts."""

    state: State
    at: str


def now() -> str:
    """Return the current time in UTC (RFC 3339), to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def is_moment(text: str) -> bool:
    """Whether a string is a time in UTC as `now` writes it, of a day that exists."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return False
    year, month, day = map(int, found.groups()[:3])
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = dict(enumerate(_DAYS, start=1)).get(month, 0) + (is_leap and month == 2)
    return year > 0 and 1 <= day <= days


def state_of(entries: Sequence[JournalEntry]) -> State:
    """Return the last state of a journal."""
    return entries[-1].state if entries else State.PREPARED


def parse_journal(data: bytes, checkpoint: str) -> tuple[JournalEntry, ...]:
    """Return the entries of a journal; `DamagedCheckpointError` if it is not as it was written."""
    inner = checked(data, checkpoint, _WHOLE, b"\n")
    if inner is None:
        raise DamagedCheckpointError("it has no checksum")
    entries, rest = _entries(inner, checkpoint)
    return _possible(entries, rest)


def parse_first_journal(data: bytes, checkpoint: str) -> tuple[JournalEntry, ...]:
    """Return the entries of a journal of secboot 0.1.0: line after line, without a checksum over all.

    A crash may have truncated the last line, perhaps with NULs after it. Such a line is ignored. Raises
    `DamagedCheckpointError` for any other damage.
    """
    entries, rest = _entries(data, checkpoint)
    torn = rest.rstrip(b"\0")
    return _possible(entries, b"" if _is_torn(torn, checkpoint) else rest)


def format_journal(entries: Sequence[JournalEntry], checkpoint: str) -> bytes:
    """Return the journal with these entries; `parse_journal` reads it."""
    lines = b"".join(format_line(entry, checkpoint) for entry in entries)
    return with_checksum(lines, checkpoint, _WHOLE, b"\n")


def format_line(entry: JournalEntry, checkpoint: str) -> bytes:
    """Return the line for `entry`, with its newline."""
    text = json.dumps(codec.encode(entry), sort_keys=True)
    return f"{_check_sum(text, checkpoint)} {text}\n".encode("ascii")


def _entries(data: bytes, checkpoint: str) -> tuple[list[JournalEntry], bytes]:
    """Return the entries of the complete lines, and the bytes from the first incomplete line on."""
    entries: list[JournalEntry] = []
    at = 0
    for line in data.splitlines(keepends=True):
        entry = _parse_line(line, checkpoint)
        if entry is None:
            break
        entries.append(entry)
        at += len(line)
    return entries, data[at:]


def _possible(entries: list[JournalEntry], rest: bytes) -> tuple[JournalEntry, ...]:
    """Return the entries, if a change can have them and nothing else follows."""
    if rest:
        raise DamagedCheckpointError(f"line {len(entries) + 1} is damaged")
    before = State.PREPARED
    for number, entry in enumerate(entries, start=1):
        if entry.state not in _NEXT[before]:
            raise DamagedCheckpointError(f"line {number}: '{entry.state}' cannot follow '{before}'")
        if reason := entry.flaw():
            raise DamagedCheckpointError(f"line {number} {reason}")
        before = entry.state
    return tuple(entries)


def _is_torn(rest: bytes, checkpoint: str) -> bool:
    """Whether bytes can be the first part of a line; a line that lacks only its newline is not one."""
    complete = _parse_line(rest[:-1] + b"\n", checkpoint) or _parse_line(rest + b"\n", checkpoint)
    return not any(byte in rest for byte in b"\n\0") and complete is None


def _parse_line(line: bytes, checkpoint: str) -> JournalEntry | None:
    check_sum, _, text = line.decode("ascii", "replace").partition(" ")
    if not text.endswith("\n") or check_sum != _check_sum(text[:-1], checkpoint):
        return None
    try:
        found = codec.parse(text, "journal")
        head = codec.decode(_Head, found, "journal")
    except ParseError as error:
        raise DamagedCheckpointError(
            f"another version of secboot wrote it: {error.message}"
        ) from error
    facts = found if isinstance(found, dict) else {}
    return JournalEntry(*head, {key: facts[key] for key in facts if key not in _Head._fields})


def _check_sum(text: str, checkpoint: str) -> str:
    return digest(f"{checkpoint}\n{text}".encode("ascii", "replace"))[:16]


class Journal:
    """The journal of one checkpoint, open for writing in its `directory`, which it closes.

    Every method raises FileError.
    """

    def __init__(
        self, directory: OpenDirectory, checkpoint: str, entries: Sequence[JournalEntry]
    ) -> None:
        self._directory = directory
        self._checkpoint = checkpoint
        self.entries = list(entries)

    @property
    def state(self) -> State:
        """The state of the change."""
        return state_of(self.entries)

    @property
    def has_committed(self) -> bool:
        """Whether zipl may have run since the files were replaced."""
        return any(entry.state is State.COMMITTING for entry in self.entries)

    def append(self, state: State, facts: Mapping[str, object] | None = None) -> None:
        """Begin `state`; it is on the disk when this returns."""
        entries = [*self.entries, JournalEntry(state, now(), facts or {})]
        self._directory.replace(JOURNAL, format_journal(entries, self._checkpoint), NEXT_JOURNAL)
        self.entries = entries

    def close(self) -> None:
        """Close the directory."""
        self._directory.close()
