"""A checkpoint that secboot 0.1.0 made of the sample machine is read, shown and rolled back."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Record
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.system.root import Root
from tests.command import secboot

MADE = Path(__file__).parent / "data/0.1.0"


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The sample machine after that apply."""
    root = tmp_path / "machine"
    assert secboot(capsys, "demo", root).code == 0
    with tarfile.open(MADE / "after.tar") as after:
        after.extractall(root, filter="data")
    made = root / "var/lib/secboot/checkpoints"
    made.mkdir(parents=True, mode=0o700)
    made.parent.chmod(0o700)
    shutil.copytree(MADE, made / "1")
    return root


def test_the_record_is_read() -> None:
    text = (MADE / "record.json").read_bytes()
    record = Record.from_json(text, "1")

    assert Record.from_json(record.to_json(), "1") == record
    assert (record.audit.version, record.audit.who.user) == ("0.1.0", "root")
    assert json.loads(text)["files"][0]["before"]["attributes"]["mode"] == "0644"


def test_the_journal_is_read(machine: Path) -> None:
    with Root(machine) as root, CheckpointStore.existing(StateDirectory(root)) as store:  # type: ignore[union-attr] # it exists
        (checkpoint,) = store.checkpoints()

    assert [entry.state for entry in checkpoint.journal] == [State.WRITING, State.DONE]
    assert checkpoint.journal[-1].facts == {"zipl": "pending"}


def test_it_is_shown_and_rolled_back(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "swiotlb=262144" in secboot(capsys, "history", "1", "--root", machine).out

    rolled_back = secboot(capsys, "rollback", "--root", machine)

    assert rolled_back.code == 0, rolled_back.err
    with tarfile.open(MADE / "before.tar") as before:
        for member in before:
            saved = before.extractfile(member)
            assert saved is not None
            assert (machine / member.name).read_bytes() == saved.read()
