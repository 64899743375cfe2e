from __future__ import annotations

import json
import os
import subprocess
import sys
import syslog
from pathlib import Path
from typing import TYPE_CHECKING

from secboot.checkpoint.journal import JournalEntry, State
from secboot.checkpoint.log import MESSAGE_ID, line_for, log_change
from secboot.checkpoint.record import Checkpoint, Record, SavedFile
from secboot.system import systemd_journal
from tests.available import require_root, unavailable
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


def test_without_a_journal_syslog_gets_the_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(systemd_journal, "SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: sent.append(arguments))

    log_change(example())

    assert sent == [(syslog.LOG_NOTICE, line_for(example()))]


JOURNALD = "/lib/systemd/systemd-journald"
IN_A_JOURNAL = r"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
$JOURNALD & journald=$!
trap 'kill $journald' EXIT
while [ ! -S /run/systemd/journal/socket ]; do sleep 0.05; done
$PYTHON -c 'from tests.checkpoint.test_log import *; log_change(example()); log_change(example(path="/a\nb"))'
journalctl --sync
journalctl --directory /run/log/journal --output json MESSAGE_ID=$MESSAGE_ID SECBOOT_PROFILE=host
"""


def test_a_real_journal_finds_changes_by_their_fields() -> None:
    require_root()
    if not Path(JOURNALD).exists():
        unavailable("systemd-journald is not installed")
    environment = {"JOURNALD": JOURNALD, "PYTHON": sys.executable, "MESSAGE_ID": MESSAGE_ID}

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_A_JOURNAL],
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["MESSAGE"] == line_for(example())
    assert {name: first[name] for name in first if name.startswith("SECBOOT_")} == {
        "SECBOOT_ACTION": "apply",
        "SECBOOT_CHECKPOINT": "7",
        "SECBOOT_OUTCOME": "done",
        "SECBOOT_ROOT": "/",
        "SECBOOT_PROFILE": "host",
        "SECBOOT_USER": "root",
        "SECBOOT_VERSION": "1.0",
        "SECBOOT_FILE": "/etc/zipl.conf",
    }
    assert (first["PRIORITY"], first["SYSLOG_IDENTIFIER"]) == ("5", "secboot")
    assert second["SECBOOT_FILE"] == r"/a\nb"
