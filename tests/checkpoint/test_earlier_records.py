"""A checkpoint that secboot 0.1.0 made of the sample machine is read, shown and rolled back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from secboot.checkpoint.journal import State, format_line, parse_journal
from secboot.checkpoint.record import Record
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.system.root import Root
from tests.checkpoint.conftest import FAULT_CASES
from tests.checkpoint.scenes import STATE
from tests.checkpoint.test_damage import flip
from tests.command import secboot
from tests.trees import snapshot

STEP = int(os.environ.get("SECBOOT_FLIP_STEP", "101"))
"""In a normal run one of this number of bytes is flipped."""
MADE = Path(__file__).parent / "data/0.1.0"


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The sample machine after that apply."""
    root = tmp_path / "machine"
    assert secboot(capsys, "demo", root).code == 0
    subprocess.run(["tar", "-x", "--no-same-owner", "-f", MADE / "after.tar"], cwd=root, check=True)
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


def test_a_flipped_bit_is_no_wrong_rollback(
    machine: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Such a record has no checksum: the other files of the checkpoint confirm it."""
    undone = machine.with_name("undone")
    shutil.copytree(machine, undone)
    assert secboot(capsys, "rollback", "--root", undone).code == 0
    before, right = snapshot(machine), snapshot(undone)
    count, tree = 0, machine.with_name("tree")
    for name in ("record.json", "journal", "before.tar", "after.tar"):
        for at in range(0, (MADE / name).stat().st_size, STEP):
            count += 1
            shutil.copytree(machine, tree)
            flip(tree / STATE / "checkpoints/1" / name, at)

            said = secboot(capsys, "rollback", "--root", tree)

            assert snapshot(tree) == (before if said.code else right), (name, at, said)
            shutil.rmtree(tree)
    request.node.user_properties.append((FAULT_CASES, count))


def as_first(checkpoint: Path) -> None:
    """Turn a checkpoint into one of secboot 0.1.0: without the checksums over the whole."""
    document = json.loads((checkpoint / "record.json").read_bytes())
    document["schema"] = "secboot/checkpoint/1"
    del document["checksum"]
    for name in ("left_alone", "parmfile", "problems"):
        del document["audit"][name]
    (checkpoint / "record.json").write_text(json.dumps(document, indent=2))
    entries = parse_journal((checkpoint / "journal").read_bytes(), checkpoint.name)
    lines = [format_line(entry, checkpoint.name) for entry in entries]
    (checkpoint / "journal").write_bytes(b"".join(lines))


def test_a_rollback_that_names_another_change_is_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "machine"
    assert secboot(capsys, "demo", root).code == 0
    for verb in ("apply guest", "apply host", "apply host-off", "rollback"):
        assert secboot(capsys, *verb.split(), "--root", root).code == 0
    made = root / STATE / "checkpoints"
    for directory in made.iterdir():
        as_first(directory)
    assert "Active profile: host." in secboot(capsys, "keep", "--root", root).out
    record = made / "4/record.json"
    text = record.read_text()
    assert '"undoes": "3"' in text

    for other in ("1", "2"):
        record.write_text(text.replace('"undoes": "3"', f'"undoes": "{other}"'))

        said = secboot(capsys, "keep", "--root", root)

        assert said.code == 1
        assert "the active profile is unknown: checkpoint 4 cannot be read" in said.err
        assert str(record) in secboot(capsys, "history", "--root", root).out


def test_a_file_that_was_made_needs_its_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else identifies it; there is a copy of every other file."""
    root = tmp_path / "machine"
    assert secboot(capsys, "demo", root).code == 0
    entry = next((root / "boot/loader/entries").glob("*rescue.conf"))
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    made = root / STATE / "checkpoints/1"
    as_first(made)
    (made / "after.tar").unlink()
    assert secboot(capsys, "rollback", "--root", root).code == 0
    as_first(made.with_name("2"))
    assert entry.exists()

    document = json.loads((made / "record.json").read_bytes())
    document["files"][0]["before"] = None
    (made / "record.json").write_text(json.dumps(document))

    said = secboot(capsys, "rollback", "1", "--root", root)
    assert said.code == 1
    assert "it has no checksum, and the other files of the checkpoint contradict it" in said.err
