from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import InterruptError, WriteAccess, write_access
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Action
from secboot.checkpoint.recovery import recover
from secboot.checkpoint.rollback import ChangedSinceError, way_back
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import NoCheckpointError
from secboot.checkpoint.transaction import Transaction
from secboot.checkpoint.undo import newest_apply
from secboot.errors import ExitCode, RefusedError, RolledBackError, SecbootError
from secboot.system.files import FileChange
from secboot.system.root import Root
from tests.checkpoint.scenes import BLS, ZIPL_CONF, audit, cut_short, perform, temporaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def access(tmp_path: Path) -> Iterator[WriteAccess]:
    with Root(tmp_path) as root, write_access(root, StateDirectory(root), keep=3) as access:
        yield access


def change(access: WriteAccess, before: bytes | None, after: bytes | None, path: str = "/a") -> str:
    """Apply a change of one file; return its checkpoint."""
    with Transaction.begin(access, [FileChange(path, path, before, after)], audit()) as transaction:
        transaction.write_files()
        transaction.done()
    return transaction.checkpoint.id


def reverse(access: WriteAccess, checkpoint: str, conflict: Conflict | None = None) -> str | None:
    changes = way_back(access, access.store.get(checkpoint), conflict).changes
    if not changes:
        return None
    with Transaction.begin(access, changes, audit(Action.ROLLBACK, checkpoint)) as transaction:
        transaction.write_files()
        transaction.done()
    return transaction.checkpoint.id


def test_ids_count_up(access: WriteAccess) -> None:
    assert access.store.ids() == ()
    assert [change(access, None, b"1"), change(access, b"1", b"2")] == ["1", "2"]


def test_old_checkpoints_are_dropped_and_ids_go_on(access: WriteAccess, tmp_path: Path) -> None:
    content = None
    for number in range(12):
        change(access, content, content := str(number).encode())

    assert access.store.ids() == ("10", "11", "12")
    assert temporaries(tmp_path) == []


def test_half_made_and_half_dropped_checkpoints_are_swept(
    access: WriteAccess, tmp_path: Path
) -> None:
    for name in (".new-1", ".old-1"):
        place = tmp_path / f"var/lib/secboot/checkpoints/{name}"
        place.mkdir()
        (place / "before.tar").write_text("x")

    recover(access)

    assert temporaries(tmp_path) == []


def test_what_a_checkpoint_remembers(access: WriteAccess, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old\xff")
    found = access.store.get(change(access, b"old\xff", b"new"))

    assert access.store.before(found, found.record.files[0]) == b"old\xff"
    assert access.store.after(found, found.record.files[0]) == b"new"
    assert found.record.root == str(tmp_path)
    assert found.record.audit == audit()


@pytest.mark.parametrize("torn", [b"", b"torn", None])
def test_what_is_not_what_was_saved_is_not_taken(
    torn: bytes | None, access: WriteAccess, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"old\xff")
    found = access.store.get(change(access, b"old\xff", b"new"))
    for name, content in (("before", b"old\xff"), ("after", b"new")):
        archive = tmp_path / f"var/lib/secboot/checkpoints/1/{name}.tar"
        other = archive.read_bytes().replace(content, content[::-1])
        archive.write_bytes(other if torn is None else torn)

    assert access.store.after(found, found.record.files[0]) is None
    with pytest.raises(DamagedCheckpointError, match=r"before\.tar: its copy of /a"):
        access.store.before(found, found.record.files[0])


def test_a_transaction_knows_what_is_on_the_disk(access: WriteAccess) -> None:
    for leave in (False, True):
        with suppress(RefusedError, RolledBackError):
            changes = [FileChange("/a", "/a", None, b"1")]
            with Transaction.begin(access, changes, audit()) as transaction:
                assert transaction.checkpoint == access.store.get(transaction.checkpoint.id)
                transaction.write_files()
                if not leave:
                    raise RefusedError("no")
                transaction.done({"zipl": "pending"})
        assert transaction.checkpoint == access.store.get(transaction.checkpoint.id)
        assert transaction.checkpoint.state is (State.DONE if leave else State.ROLLED_BACK)


@pytest.mark.parametrize("name", ["7", "", "0", "01", "../1", "x", "²", "-1"])
def test_no_such_checkpoint(access: WriteAccess, name: str) -> None:
    change(access, None, b"1")

    with pytest.raises(NoCheckpointError):
        access.store.get(name)


def test_going_back_and_back_again(access: WriteAccess, tmp_path: Path) -> None:
    """Without an ID, each rollback undoes the newest apply that still stands."""
    (tmp_path / "a").write_bytes(b"0")
    change(access, b"0", b"1")
    change(access, b"1", b"2")

    for expected in (b"1", b"0"):
        latest = newest_apply(access.store).checkpoint
        assert latest is not None
        reverse(access, latest.id)
        assert (tmp_path / "a").read_bytes() == expected
    assert newest_apply(access.store).checkpoint is None


def test_going_back_twice_is_nothing_to_do(access: WriteAccess, tmp_path: Path) -> None:
    change(access, None, b"1")

    assert reverse(access, "1") == "2"
    assert reverse(access, "1") is None
    assert not (tmp_path / "a").exists()


def test_an_older_change_waits_for_the_later_one(access: WriteAccess, tmp_path: Path) -> None:
    change(access, None, b"1")
    change(access, b"1", b"2")

    with pytest.raises(ChangedSinceError, match="/a") as caught:
        reverse(access, "1")
    assert caught.value.paths == ("/a",)
    assert "checkpoint 2" in str(caught.value.hint)

    reverse(access, "2")
    reverse(access, "1")
    assert not (tmp_path / "a").exists()


def test_a_later_change_of_another_file_is_no_hindrance(
    access: WriteAccess, tmp_path: Path
) -> None:
    change(access, None, b"1")
    change(access, None, b"1", path="/b")

    reverse(access, "1")

    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def test_an_edit_since_is_overwritten_by_force_alone(access: WriteAccess, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    change(access, b"old", b"new")
    (tmp_path / "a").write_bytes(b"edited")

    with pytest.raises(ChangedSinceError) as caught:
        reverse(access, "1")
    assert "--force" in str(caught.value.hint)
    assert (tmp_path / "a").read_bytes() == b"edited"

    forced = reverse(access, "1", Conflict.OVERWRITE)
    assert forced is not None
    assert (tmp_path / "a").read_bytes() == b"old"
    made = access.store.get(forced)
    assert access.store.before(made, made.record.files[0]) == b"edited"


def test_going_back_restores_mode_and_owner(access: WriteAccess, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o4640)
    before = access.root.read_file("/a")
    change(access, b"old", None)

    reverse(access, "1")

    assert access.root.read_file("/a") == before


def test_what_was_rolled_back_has_nothing_to_go_back_behind(access: WriteAccess) -> None:
    with (
        pytest.raises(RefusedError, match="no"),
        Transaction.begin(access, [FileChange("/a", "/a", None, b"1")], audit()),
    ):
        raise RefusedError("no")

    with pytest.raises(RefusedError, match="rolled back"):
        reverse(access, "1")


@pytest.mark.fault
def test_a_soak_of_random_steps(memory: Path) -> None:
    """Applies, rollbacks, kills and recoveries: the files are always in one of the two states."""
    chance = random.Random(20261123)  # noqa: S311 - the same steps each time
    for scene in (BLS, ZIPL_CONF):
        tree = memory / f"soak-{scene.name}"
        tree.mkdir()
        scene.make(tree)
        is_new = False
        for _ in range(500):
            step = chance.choice(["apply", "fail", "rollback", "recover", "kill"])
            if step == "kill" and not is_new:
                perform("recover", tree, scene)
                cut_short(
                    tree, scene, chance.choice([State.PREPARED, State.WRITING, State.COMMITTING])
                )
            elif step in {"apply", "fail"} and not is_new:
                code = perform(step, tree, scene)
                assert code == (ExitCode.OK if step == "apply" else ExitCode.ROLLED_BACK)
                is_new = step == "apply"
            elif step == "rollback" and is_new:
                assert perform(step, tree, scene) == ExitCode.OK
                is_new = False
            else:
                assert perform("recover", tree, scene) == ExitCode.OK
                assert scene.found(tree) == (scene.after if is_new else scene.before)
                assert temporaries(tree) == []


def test_every_error_has_an_exit_code() -> None:
    assert issubclass(InterruptError, SecbootError)
    assert InterruptError.exit_code == 130
