from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.checkpoint.journal import (
    Journal,
    JournalEntry,
    State,
    format_line,
    parse_journal,
    state_of,
)
from secboot.errors import ParseError

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = (
    JournalEntry(State.WRITING, "2026-11-23T14:00:00Z"),
    JournalEntry(State.COMMITTING, "2026-11-23T14:00:01Z", {"note": "ä\udcff\n"}),
    JournalEntry(State.DONE, "2026-11-23T14:00:02Z", {"zipl": {"status": 0}}),
)
LINES = [format_line(entry, "7") for entry in ENTRIES]
WHOLE = b"".join(LINES)


def test_an_empty_journal_is_that_of_a_prepared_change() -> None:
    assert parse_journal(b"", "7") == ((), 0)
    assert state_of(()) is State.PREPARED


def test_what_was_written_is_read() -> None:
    assert parse_journal(WHOLE, "7") == (ENTRIES, len(WHOLE))


@given(st.integers(0, len(WHOLE)), st.binary(max_size=100))
def test_a_torn_end_does_not_count(length: int, rubbish: bytes) -> None:
    entries, valid = parse_journal(WHOLE[:length] + rubbish, "7")

    whole = [count for count in range(4) if len(b"".join(LINES[:count])) <= length]
    assert entries[: whole[-1]] == ENTRIES[: whole[-1]]
    assert valid == len(b"".join(LINES[: len(entries)]))
    assert ENTRIES[: len(entries)] == entries


@given(st.binary())
def test_any_bytes_are_a_journal(data: bytes) -> None:
    entries, valid = parse_journal(data, "7")

    assert entries == ()
    assert valid == 0


def test_lines_of_another_journal_do_not_count() -> None:
    assert parse_journal(WHOLE, "8") == ((), 0)


def test_appending_goes_over_a_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(LINES[0] + LINES[1][:-10])
    journal = Journal(os.open(path, os.O_RDWR), "7")

    assert journal.state is State.WRITING
    journal.append(State.ROLLING_BACK)
    journal.append(State.ROLLED_BACK)
    journal.close()

    entries, _ = parse_journal(path.read_bytes(), "7")
    assert [entry.state for entry in entries] == [
        State.WRITING,
        State.ROLLING_BACK,
        State.ROLLED_BACK,
    ]


def test_a_whole_line_that_is_no_entry_is_of_another_version() -> None:
    line = format_line(JournalEntry(State.DONE, "now", {"state": "later"}), "7")

    with pytest.raises(ParseError, match="state: is not one of prepared, writing"):
        parse_journal(LINES[0] + line, "7")
