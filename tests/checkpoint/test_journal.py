from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import (
    JournalEntry,
    State,
    format_journal,
    format_line,
    parse_first_journal,
    parse_journal,
    state_of,
)
from secboot.checkpoint.record import Checkpoint
from secboot.checkpoint.store import CheckpointStore
from secboot.system.root import Root
from tests.checkpoint.test_record import RECORD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENTRIES = (
    JournalEntry(State.WRITING, "2026-11-23T14:00:00Z"),
    JournalEntry(State.COMMITTING, "2026-11-23T14:00:01Z", {"reason": "ä\udcff\n"}),
    JournalEntry(State.DONE, "2026-11-23T14:00:02Z", {"zipl": {"status": 0}}),
)
LINES = [format_line(entry, "7") for entry in ENTRIES]
WHOLE = format_journal(ENTRIES, "7")
FIRST = b"".join(LINES)
"""A journal as secboot 0.1.0 wrote it."""


def test_an_empty_journal_is_that_of_a_prepared_change() -> None:
    assert parse_journal(format_journal((), "7"), "7") == ()
    assert parse_first_journal(b"", "7") == ()
    assert state_of(()) is State.PREPARED


def test_what_was_written_is_read() -> None:
    assert parse_journal(WHOLE, "7") == ENTRIES
    assert parse_first_journal(FIRST, "7") == ENTRIES


def test_a_journal_with_any_bit_flipped_or_any_end_lost_says_nothing() -> None:
    damaged = [*flipped(WHOLE), *(WHOLE[:length] for length in range(len(WHOLE)))]

    assert len(damaged) == 9 * len(WHOLE)
    for data in damaged:
        with pytest.raises(DamagedCheckpointError):
            parse_journal(data, "7")


def test_a_journal_of_the_first_version_with_any_bit_flipped_says_nothing() -> None:
    for data in flipped(FIRST):
        with pytest.raises(DamagedCheckpointError):
            parse_first_journal(data, "7")


def flipped(data: bytes) -> list[bytes]:
    return [
        data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]


@given(st.integers(0, len(FIRST) - 1), st.integers(0, 20))
def test_a_torn_end_of_the_first_version_does_not_count(length: int, zeros: int) -> None:
    """A crash can hardly leave a complete line without its newline."""
    ends = [len(b"".join(LINES[:count])) for count in range(4)]
    data = FIRST[:length] + bytes(zeros)
    if length + 1 in ends:
        with pytest.raises(DamagedCheckpointError):
            parse_first_journal(data, "7")
    else:
        whole = max(count for count in range(4) if ends[count] <= length)
        assert parse_first_journal(data, "7") == ENTRIES[:whole]


@given(st.binary())
def test_no_other_bytes_are_a_journal(data: bytes) -> None:
    with pytest.raises(DamagedCheckpointError):
        parse_journal(data, "7")


def test_lines_of_another_journal_do_not_count() -> None:
    with pytest.raises(DamagedCheckpointError):
        parse_journal(WHOLE, "8")
    with pytest.raises(DamagedCheckpointError):
        parse_first_journal(FIRST, "8")


def test_each_step_is_written_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints/7"
    place.mkdir(parents=True)
    (place / "journal.new").write_bytes(b"what a crash left")

    with Root(tmp_path) as state:
        store = CheckpointStore(state)
        journal = store.open_journal(Checkpoint(RECORD, ENTRIES[:1], "7"))
        written = []
        for step in (State.ROLLING_BACK, State.ROLLED_BACK):
            journal.append(step)
            written = [e.state for e in parse_journal((place / "journal").read_bytes(), "7")]
            assert written[-1] is step
        journal.close()

    assert len(written) == 3
    assert [path.name for path in place.iterdir()] == ["journal"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((ENTRIES[1],), "line 1: 'committing' cannot follow 'prepared'"),
        ((*ENTRIES, ENTRIES[0]), "line 4: 'writing' cannot follow 'done'"),
        ((ENTRIES[0]._replace(at="\x1b[31m"),), "line 1 has no valid time"),
        (
            (ENTRIES[0]._replace(facts={"argv": ["rm"]}),),
            "line 1 has an unknown fact: argv",
        ),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": "rm"}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"left": "x"}),), "unknown fact: left"),
        ((ENTRIES[0]._replace(facts={"left": ["x"]}),), "unknown fact: left"),
        ((ENTRIES[0]._replace(facts={"left": [7]}),), "unknown fact: left"),
        ((ENTRIES[0]._replace(facts={"boot_record": "x"}),), "unknown fact: boot_record"),
        ((ENTRIES[0]._replace(facts={"zipl": "x"}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"x": 1}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": []}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": ["rm"]}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": ["zipl", 7]}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": ["chroot", "/m"]}}),), "unknown fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"argv": ["chroot", "/", "rm"]}}),), "fact: zipl"),
        ((ENTRIES[0]._replace(facts={"zipl": {"before": [["rm"]]}}),), "unknown fact"),
        ((ENTRIES[0]._replace(facts={"zipl": {"status": True}}),), "unknown fact"),
        ((ENTRIES[0]._replace(facts={"zipl": {"seconds": "1"}}),), "unknown fact"),
        ((ENTRIES[0]._replace(at="2026-02-29T14:00:00Z"),), "line 1 has no valid time"),
        ((ENTRIES[0]._replace(at="2026-99-01T14:00:00Z"),), "line 1 has no valid time"),
        ((ENTRIES[0]._replace(at="0000-01-01T14:00:00Z"),), "line 1 has no valid time"),
        ((ENTRIES[0]._replace(at="2026-01-01T24:00:00Z"),), "line 1 has no valid time"),
    ],
)
def test_what_no_secboot_wrote(entries: Sequence[JournalEntry], message: str) -> None:
    with pytest.raises(DamagedCheckpointError, match=message):
        parse_journal(format_journal(entries, "7"), "7")


def test_a_whole_line_that_is_no_entry_is_of_another_version() -> None:
    line = format_line(JournalEntry(State.DONE, "now", {"state": "later"}), "7")

    with pytest.raises(DamagedCheckpointError, match="state: must be one of prepared, writing"):
        parse_first_journal(LINES[0] + line, "7")
