from __future__ import annotations

import syslog
from typing import TYPE_CHECKING

from secboot.checkpoint.journal import JournalEntry, State
from secboot.checkpoint.record import Checkpoint, Record, SavedFile, line_for, log_change
from tests.checkpoint.scenes import audit

if TYPE_CHECKING:
    import pytest


def example(path: str = "/etc/zipl.conf", profile: str = "host") -> Checkpoint:
    name = ".secboot-0123456789abcdef.tmp"
    file = SavedFile(path, path, None, None, name, name)
    record = Record("7", "/", audit()._replace(profile=profile), (file,))
    return Checkpoint(record, (JournalEntry(State.DONE, "2026-11-23T14:00:00Z"),), "/x/7")


def test_the_line() -> None:
    assert line_for(example()) == (
        "action=apply checkpoint=7 outcome=done root=/ profile=host user=root version=1.0 "
        "files=/etc/zipl.conf"
    )


def test_nothing_forges_another_word_or_line() -> None:
    line = line_for(example(path="/a\nb", profile='x" user="mallory'))

    assert line.isprintable()
    assert r'profile="x\" user=\"mallory"' in line
    assert r"files=/a\nb" in line


def test_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: sent.append(arguments))

    log_change(example())

    assert sent == [(syslog.LOG_NOTICE, line_for(example()))]
