"""What each command reports about a reboot of the running system, for which a tree stands in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import act_on_running_system, secboot
from tests.situations import make_situation

TEXT = "root=/dev/sda1 selinux=0"
CLEAR = "chreipl node /boot -p ''  # a LOAD at the HMC"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    act_on_running_system(monkeypatch)
    return make_situation("scpdata-replaces-line", tmp_path / "machine")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("plan host", 0),
        ("apply host --dry-run --no-zipl", 0),
        ("apply host --no-zipl", 0),
        ("status host", 0),
        ("status", 0),
        ("verify host", 5),
        ("verify host --stage installed", 5),
        ("verify host --stage inherited", 0),
    ],
)
def test_a_text_that_replaces_the_line_is_warned_of(
    machine: Path, capsys: pytest.CaptureFixture[str], words: str, code: int
) -> None:
    said = secboot(capsys, *words.split(), "--root", machine)

    assert said.code == code, said.err
    assert TEXT in said.out
    assert CLEAR in said.out


def test_show_has_it_too(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = secboot(capsys, "show", "--root", machine)
    found = json.loads(secboot(capsys, "show", "--root", machine, "--output", "json").out)

    assert f"SCPDATA replaces the line: '{TEXT}" in text.out
    assert found["reboot"]["line"].startswith(TEXT)
    assert found["reboot"]["source"]["type"] == "fcp"


@pytest.mark.parametrize("words", ["plan host", "show", "status host"])
def test_a_tree_has_no_reboot(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("scpdata-replaces-line", tmp_path / "machine")

    assert TEXT not in secboot(capsys, *words.split(), "--root", root).out
