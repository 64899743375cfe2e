"""One flipped bit anywhere in any file of the state directory: no wrong action, no wrong "done".

The library's own functions are run after each flip, all of them in a run with ``-m fault`` and a
sample otherwise; the commands after a sample. How many there were is printed.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import WriteAccess, write_access
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import State
from secboot.checkpoint.recovery import not_acted_upon, recover
from secboot.checkpoint.retention import KEEP, prune
from secboot.checkpoint.rollback import way_back
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import NoCheckpointError
from secboot.checkpoint.undo import newest_apply
from secboot.errors import ExitCode, SecbootError, StuckError
from secboot.system.root import Root
from tests.checkpoint.conftest import FAULT_CASES
from tests.checkpoint.scenes import BLS, STATE, cut_short, perform, state_of
from tests.command import secboot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE = 101
"""In a normal run one of this number of bytes is flipped: a prime, so that each bit has its turn."""
OFTEN = pytest.param(
    int(os.environ.get("SECBOOT_FLIP_STEP", "7")), marks=pytest.mark.fault, id="often"
)
"""``SECBOOT_FLIP_STEP=1`` flips a bit of every byte."""


def flips(state: Path, step: int) -> Iterator[tuple[Path, int]]:
    """Yield each file below a state directory except the locks, and a position in it."""
    files = sorted(path for path in (state / "checkpoints").rglob("*") if path.is_file())
    places = [(path, at) for path in files for at in range(path.stat().st_size)]
    return iter(places[::step])


def flip(path: Path, at: int) -> bytes:
    """Flip a bit of one byte, and return the old content of the file."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
    return data


@pytest.mark.parametrize("step", [SAMPLE, OFTEN])
def test_a_flipped_bit_in_what_is_finished(
    step: int, memory: Path, request: pytest.FixtureRequest
) -> None:
    """An apply, the rollback that undid it, and an apply that stands."""
    tree = memory / f"finished-{step}"
    BLS.make(tree)
    for verb in ("apply", "rollback", "apply"):
        assert perform(verb, tree, BLS) == 0
    count = 0
    with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
        right = way_back(access, access.store.get("3"))
        for path, at in flips(tree / STATE, step):
            count += 1
            data = flip(path, at)
            before = state_of(tree)
            try:
                assert recover(access) == (), (path, at)
                assert prune(access.store, KEEP) == ((), ()), (path, at)
                assert state_of(tree) == before, (path, at)
                assert is_told(access, path), (path, at)
                newest, doubts = newest_apply(access.store)
                assert doubts or (newest is not None and newest.id == "3"), (path, at)
                assert way_of(access) in (right, None), (path, at)
            finally:
                path.write_bytes(data)
    request.node.user_properties.append((FAULT_CASES, count))


def is_told(access: WriteAccess, path: Path) -> bool:
    """Whether damage of a record or a journal is reported with the path of the file."""
    findings = [damage.finding for damage in access.store.listing().damaged]
    if path.suffix == ".tar":
        return findings == []
    return [str(finding.location) for finding in findings] == [str(path)]


def way_of(access: WriteAccess) -> object:
    """Return the changes that undo the apply that stands; None if it is damaged."""
    try:
        return way_back(access, access.store.get("3"))
    except DamagedCheckpointError:
        return None


@pytest.mark.parametrize("step", [SAMPLE, OFTEN])
@pytest.mark.parametrize("state", [State.PREPARED, State.WRITING, State.COMMITTING])
def test_a_flipped_bit_in_what_was_cut_short(
    state: State, step: int, memory: Path, request: pytest.FixtureRequest
) -> None:
    """It is rolled back as without the damage, or nothing is done and the damage is reported."""
    template = memory / f"cut-{state}-{step}"
    BLS.make(template)
    cut_short(template, BLS, state)
    tree = template.with_name(f"{template.name}-tree")
    count = 0
    for path, at in flips(template / STATE, step):
        count += 1
        shutil.copytree(template, tree)
        flip(tree / path.relative_to(template), at)
        before = state_of(tree)
        with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
            try:
                done = recover(access)
            except StuckError:
                assert path.name == "before.tar", (path, at)
                assert BLS.found(tree)["boot/loader/entries/a-5.14.0-1.conf"] is not None
            else:
                if done:
                    assert BLS.found(tree) == BLS.before, (path, at)
                else:
                    assert state_of(tree) == before, (path, at)
                    damage = not_acted_upon(access)
                    assert damage is not None, (path, at)
        shutil.rmtree(tree)
    request.node.user_properties.append((FAULT_CASES, count))


READING = ("plan host", "show", "status host", "verify host", "check", "history", "history 2")
WRITING = ("keep", "apply host-off", "rollback", "rollback 1", "rollback 2")
SPARSE = 1499
"""One of this number of bytes is flipped, and all commands are run."""


@pytest.mark.parametrize("command", [*READING, *WRITING])
@pytest.mark.parametrize("step", [SPARSE, pytest.param(151, marks=pytest.mark.fault)])
def test_a_flipped_bit_and_each_command(
    command: str,
    step: int,
    memory: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    template = memory / f"{command.replace(' ', '-')}-{step}"
    assert secboot(capsys, "demo", template).code == 0
    for profile in ("guest", "host"):
        assert secboot(capsys, "apply", profile, "--root", template).code == 0
    tree = template.with_name(f"{template.name}-tree")
    shutil.copytree(template, tree)
    right = secboot(capsys, *command.split(), "--root", tree)
    expected, untouched = boot_files(tree), boot_files(template)
    shutil.rmtree(tree)
    count = 0
    for path, at in flips(template / STATE, step):
        count += 1
        shutil.copytree(template, tree)
        flip(tree / path.relative_to(template), at)
        said = secboot(capsys, *command.split(), "--root", tree)
        where = (path, at, said)
        assert said.code in {right.code, ExitCode.REFUSED}, where
        if said.code == ExitCode.REFUSED:
            assert boot_files(tree) == untouched, where
        else:
            assert boot_files(tree) == expected, where
        if command in READING:
            assert said.code == right.code or command == "history 2", where
        shutil.rmtree(tree)
    shutil.rmtree(template)
    request.node.user_properties.append((FAULT_CASES, count))


def boot_files(tree: Path) -> dict[str, bytes]:
    return {name: data for name, data in state_of(tree).items() if not name.startswith(STATE)}


@pytest.mark.parametrize("what", ["empty", "zeros", "half", "missing", "of another", "newer"])
@pytest.mark.parametrize("name", ["record.json", "journal"])
@pytest.mark.parametrize("number", ["1", "2"])
def test_other_damage_blocks_nothing_but_itself(
    what: str, name: str, number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "m"
    secboot(capsys, "demo", tree)
    for profile in ("guest", "host"):
        secboot(capsys, "apply", profile, "--root", tree)
    path = tree / STATE / "checkpoints" / number / name
    other = tree / STATE / "checkpoints" / str(3 - int(number)) / name
    data = path.read_bytes()
    contents = {
        "empty": b"",
        "zeros": bytes(len(data)),
        "half": data[: len(data) // 2],
        "of another": other.read_bytes(),
        "newer": data.replace(b"checkpoint/2", b"checkpoint/9").replace(b"whole", b"later"),
    }
    path.unlink()
    if what != "missing":
        path.write_bytes(contents[what])
    before = boot_files(tree)

    for words in (*READING[:-1], "apply host-off --dry-run"):
        said = secboot(capsys, *words.split(), "--root", tree)
        assert said.code in {0, 5}, (words, said)
    history = secboot(capsys, "history", "--root", tree)
    assert f"{path}: warning: checkpoint {number} cannot be read" in history.out
    assert boot_files(tree) == before
    rollback = secboot(capsys, "rollback", number, "--root", tree)
    assert rollback.code == 1
    assert str(path) in rollback.err
    assert boot_files(tree) == before
    applied = secboot(capsys, "apply", "host-off", "--root", tree)
    assert applied.code == 0, applied.err
    assert "Undo with: secboot rollback 3" in applied.out
    assert secboot(capsys, "rollback", "--root", tree).code == 0
    assert boot_files(tree) == before


def test_an_old_checkpoint_that_seems_unfinished_leads_to_nothing(
    tmp_path: Path,
) -> None:
    """No change begins before the previous one has ended, so only the newest can be unfinished."""
    tree = tmp_path / "m"
    BLS.make(tree)
    cut_short(tree, BLS, State.WRITING)
    unfinished = (tree / STATE / "checkpoints/1/journal").read_bytes()
    for verb in ("recover", "apply", "rollback"):
        assert perform(verb, tree, BLS) == 0
    (tree / STATE / "checkpoints/1/journal").write_bytes(unfinished)
    before = state_of(tree)

    assert perform("recover", tree, BLS) == 0

    assert state_of(tree) == before


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with (
        Root(tmp_path) as root,
        write_access(root, StateDirectory(root)) as access,
        pytest.raises(NoCheckpointError) as caught,
    ):
        access.store.get("7")
    assert isinstance(caught.value, SecbootError)
