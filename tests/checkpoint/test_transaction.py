# ruff: noqa: PT012 - what is tested is how whole blocks are left
from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import InterruptError, WriteAccess, write_access
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Checkpoint, FileVersion, Record, SavedFile
from secboot.checkpoint.recovery import recover
from secboot.checkpoint.rollback import BootRecordOutcome, commands_by_hand
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.transaction import Transaction
from secboot.errors import RefusedError, RolledBackError, StuckError
from secboot.system.file_errors import AccessError, ChangedError, FileError, NoSpaceError
from secboot.system.files import FileAttributes, FileChange
from secboot.system.root import Root
from tests.checkpoint.scenes import BLS, ZIPL_CONF, audit, cut_short, temporaries

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = "boot/loader/entries/a-5.14.0-1.conf"
SECOND = "boot/loader/entries/a-5.14.0-2.conf"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    BLS.make(tmp_path)
    return tmp_path


@pytest.fixture
def commits() -> list[tuple[int, ...]]:
    """The runs of zipl that a rollback asked for."""
    return []


@pytest.fixture
def access(tree: Path, commits: list[tuple[int, ...]]) -> Iterator[WriteAccess]:
    def commit(inherited: tuple[int, ...]) -> dict[str, object]:
        commits.append(inherited)
        return {"status": 0}

    with Root(tree) as root, write_access(root, StateDirectory(root), commit=commit) as access:
        yield access


def begin(access: WriteAccess) -> Transaction:
    return Transaction.begin(access, BLS.changes(), audit())


def state(access: WriteAccess) -> State:
    return access.store.checkpoints()[-1].state


def test_a_change_that_is_done(access: WriteAccess, tree: Path, commits: list[object]) -> None:
    with begin(access) as change:
        assert BLS.found(tree) == BLS.before
        change.write_files()
        assert BLS.found(tree) == BLS.after
        change.committing()
        change.done({"zipl": {"status": 0}})

    checkpoint = access.store.get("1")
    assert checkpoint.state is State.DONE
    assert checkpoint.journal[-1].facts == {"zipl": {"status": 0}}
    assert [entry.state for entry in checkpoint.journal] == [
        State.WRITING,
        State.COMMITTING,
        State.DONE,
    ]
    assert BLS.found(tree) == BLS.after
    assert temporaries(tree) == []
    assert commits == []
    assert access.store.unfinished() == ()


def test_a_change_without_zipl(access: WriteAccess, tree: Path) -> None:
    with begin(access) as change:
        change.write_files()
        change.done()

    assert state(access) is State.DONE
    assert BLS.found(tree) == BLS.after


def test_a_new_file_is_readable_by_all_whatever_the_umask(access: WriteAccess, tree: Path) -> None:
    umask = os.umask(0o077)
    try:
        with begin(access) as change:
            change.write_files()
            change.done()
    finally:
        os.umask(umask)

    assert stat.S_IMODE((tree / "etc/kernel/cmdline").stat().st_mode) == 0o644


def test_checkpoints_are_readable_by_their_owner_alone(access: WriteAccess, tree: Path) -> None:
    with begin(access) as change:
        change.write_files()
        change.done()

    state_directory = tree / "var/lib/secboot"
    for path in [state_directory, *state_directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_error_before_any_file_was_replaced(access: WriteAccess, tree: Path) -> None:
    with pytest.raises(RefusedError, match="zipl --dry-run says no"), begin(access):
        raise RefusedError("zipl --dry-run says no")

    assert BLS.found(tree) == BLS.before
    assert state(access) is State.ROLLED_BACK
    assert temporaries(tree) == []


def test_an_error_before_zipl_ran(access: WriteAccess, tree: Path, commits: list[object]) -> None:
    with pytest.raises(RolledBackError, match="no"), begin(access) as change:
        change.write_files()
        raise RefusedError("no", hint="why")

    assert BLS.found(tree) == BLS.before
    assert change.report is not None
    assert change.report.boot_record is BootRecordOutcome.UNTOUCHED
    assert set(change.report.files.restored) == {f"/{ENTRY}", f"/{SECOND}"}
    assert change.report.files.removed == ("/etc/kernel/cmdline",)
    assert commits == []


def test_an_error_of_zipl(access: WriteAccess, tree: Path, commits: list[tuple[int, ...]]) -> None:
    with pytest.raises(RolledBackError, match="zipl failed"), begin(access) as change:
        change.write_files()
        change.committing()
        raise RefusedError("zipl failed")

    assert BLS.found(tree) == BLS.before
    assert commits == [access.lock.inherited]
    assert change.report is not None
    assert change.report.boot_record is BootRecordOutcome.WRITTEN
    assert access.store.get("1").journal[-1].facts["reason"] == "zipl failed"
    assert temporaries(tree) == []


def test_zipl_that_fails_the_second_time_too(access: WriteAccess, tree: Path) -> None:
    def fails(_: tuple[int, ...]) -> dict[str, object]:
        raise RefusedError("zipl failed again", hint="look at dasda")

    broken = access._replace(commit=fails)
    with pytest.raises(StuckError, match="zipl failed again") as caught, begin(broken) as change:
        change.write_files()
        change.committing()
        raise RefusedError("zipl failed")

    assert BLS.found(tree) == BLS.before
    assert state(access) is State.STUCK
    hint = caught.value.hint
    assert hint is not None
    assert "look at dasda" in hint
    assert f"{tree}/var/lib/secboot/checkpoints/1" in hint

    (report,) = recover(access)
    assert report.rollback.boot_record is BootRecordOutcome.WRITTEN
    assert state(access) is State.ROLLED_BACK


def test_no_zipl_to_run_again(access: WriteAccess) -> None:
    without = access._replace(commit=None)
    with pytest.raises(RolledBackError), begin(without) as change:
        change.write_files()
        change.committing()
        raise RefusedError("zipl failed")

    assert change.report is not None
    assert change.report.boot_record is BootRecordOutcome.PENDING


def test_a_bug_is_told_as_one_after_all_was_put_back(access: WriteAccess, tree: Path) -> None:
    with pytest.raises(ZeroDivisionError), begin(access) as change:
        change.write_files()
        change.committing()
        raise ZeroDivisionError

    assert BLS.found(tree) == BLS.before
    assert state(access) is State.ROLLED_BACK


def test_a_change_that_is_never_done_is_rolled_back(access: WriteAccess, tree: Path) -> None:
    with begin(access) as change:
        change.write_files()

    assert BLS.found(tree) == BLS.before
    assert state(access) is State.ROLLED_BACK


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", ["begin", "write_files", "committing", "done"])
def test_an_interrupt_leads_to_an_orderly_rollback(
    access: WriteAccess, tree: Path, number: signal.Signals, step: str
) -> None:
    def interrupt(at: str) -> None:
        if at == step:
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptError, match=number.name):
        interrupt("begin")
        with begin(access) as change:
            interrupt("write_files")
            change.write_files()
            interrupt("committing")
            change.committing()
            interrupt("done")
            change.done()

    assert BLS.found(tree) == BLS.before
    assert access.store.unfinished() == ()


def test_an_interrupt_after_the_end_is_too_late(access: WriteAccess, tree: Path) -> None:
    with begin(access) as change:
        change.write_files()
        change.done()
        os.kill(os.getpid(), signal.SIGTERM)

    assert access.interrupts.pending == signal.SIGTERM
    assert BLS.found(tree) == BLS.after


def test_a_file_that_changed_since_the_plan(access: WriteAccess, tree: Path) -> None:
    (tree / ENTRY).write_text("title Edited\n")

    with pytest.raises(ChangedError, match=r"a-5\.14\.0-1\.conf"):
        begin(access)

    assert access.store.ids() == ()
    assert (tree / SECOND).read_text() == BLS.before[SECOND]


@pytest.mark.parametrize("what", ["appeared", "vanished", "became a link"])
def test_a_file_that_came_or_went_since_the_plan(
    access: WriteAccess, tree: Path, what: str
) -> None:
    if what == "appeared":
        (tree / "etc/kernel/cmdline").write_text("quiet")
    else:
        (tree / SECOND).unlink()
        if what == "became a link":
            (tree / SECOND).symlink_to("a-5.14.0-1.conf")

    with pytest.raises(RefusedError):
        begin(access)

    assert access.store.ids() == ()


def test_an_edit_while_the_change_is_written_is_kept(access: WriteAccess, tree: Path) -> None:
    """The other files go back; the edited one stays as its editor left it."""
    with pytest.raises(RolledBackError, match="changed by somebody"), begin(access) as change:
        (tree / SECOND).write_text("title Edited\n")
        change.write_files()

    assert BLS.found(tree) == {**BLS.before, SECOND: "title Edited\n"}
    assert temporaries(tree) == []
    assert state(access) is State.ROLLED_BACK


def test_a_file_that_appears_while_the_change_is_written_is_kept(
    access: WriteAccess, tree: Path
) -> None:
    with pytest.raises(RolledBackError), begin(access) as change:
        (tree / "etc/kernel/cmdline").write_text("mine")
        change.write_files()

    assert BLS.found(tree) == {**BLS.before, "etc/kernel/cmdline": "mine"}


def stuck_by_an_edit(access: WriteAccess, tree: Path) -> StuckError:
    """An edit of a file after secboot replaced it, and before it has to be put back."""
    with pytest.raises(StuckError) as caught, begin(access) as change:
        change.write_files()
        (tree / SECOND).write_text("title Edited\n")
        raise RefusedError("zipl failed")
    return caught.value


def test_an_edit_of_the_new_file_is_not_overwritten(access: WriteAccess, tree: Path) -> None:
    error = stuck_by_an_edit(access, tree)

    assert SECOND in str(error)
    assert BLS.found(tree) == {**BLS.before, SECOND: "title Edited\n"}
    (found,) = access.store.unfinished()
    assert found.state is State.STUCK
    with pytest.raises(StuckError):
        recover(access)
    with pytest.raises(RefusedError, match="finished first"):
        begin(access)


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [(Conflict.KEEP, "title Edited\n"), (Conflict.OVERWRITE, BLS.before[SECOND])],
)
def test_a_conflict_is_settled_by_its_user(
    access: WriteAccess, tree: Path, conflict: Conflict, expected: str
) -> None:
    stuck_by_an_edit(access, tree)

    recover(access, conflict)

    assert (tree / SECOND).read_text() == expected
    assert access.store.unfinished() == ()
    assert temporaries(tree) == []


def test_what_is_done_by_hand_does_what_it_says(access: WriteAccess, tree: Path) -> None:
    stuck_by_an_edit(access, tree)
    commands = commands_by_hand(access.store.get("1"))

    for command in commands:
        subprocess.run(["sh", "-ec", command], check=True)

    assert BLS.found(tree) == BLS.before
    assert stat.S_IMODE((tree / SECOND).stat().st_mode) == 0o600


def test_by_hand_zipl_comes_last_and_odd_names_are_quoted(tmp_path: Path) -> None:
    version = FileVersion("0" * 64, 1, FileAttributes(0o640, 1, 2, (("security.selinux", b"x"),)))
    name = ".secboot-0123456789abcdef.tmp"
    files = (
        SavedFile("/etc/it's", "/etc/it's", version, None, name, name),
        SavedFile("/etc/a\nb\udcff", "/etc/a\nb\udcff", None, version, name, name),
    )
    checkpoint = Checkpoint(Record("7", "/", audit(), files), (), str(tmp_path / "7"))

    commands = commands_by_hand(checkpoint)

    assert commands == (
        f"tar -xpf {tmp_path}/7/before.tar -C /",
        """restorecon '/etc/it'"'"'s'""",
        r"rm -f $'\057\145\164\143\057\141\012\142\377'",
        "zipl",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_going_back_restores_every_attribute(access: WriteAccess, tree: Path) -> None:
    """Also where the old file itself is gone, and is made anew from what was saved."""
    os.chown(tree / ENTRY, 1234, 5678)
    (tree / ENTRY).chmod(0o4640)
    try:
        os.setxattr(tree / ENTRY, "user.origin", b"\0\xff")
        os.setxattr(tree / ENTRY, "security.selinux", b"system_u:object_r:boot_t:s0\0")
    except OSError as error:
        pytest.skip(str(error))
    before = access.root.read_file(f"/{ENTRY}")

    with pytest.raises(RolledBackError), begin(access) as change:
        change.write_files()
        for path in (tree / ENTRY).parent.glob(".secboot-*"):
            path.unlink()
        raise RefusedError("zipl failed")

    assert access.root.read_file(f"/{ENTRY}") == before


def test_attributes_that_are_asked_for(access: WriteAccess, tree: Path) -> None:
    attributes = FileAttributes(0o600, os.geteuid(), os.getegid())
    change = FileChange(f"/{ENTRY}", f"/{ENTRY}", (tree / ENTRY).read_bytes(), b"new", attributes)

    with Transaction.begin(access, [change], audit()) as transaction:
        transaction.write_files()
        transaction.done()

    assert stat.S_IMODE((tree / ENTRY).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [FileChange("/a", "/a", None, None)],
        [FileChange("/a", "/a", None, b"1"), FileChange("/a", "/a", None, b"2")],
    ],
)
def test_changes_without_sense(access: WriteAccess, changes: list[FileChange]) -> None:
    with pytest.raises(ValueError, match="chang"):
        Transaction.begin(access, changes, audit())


def test_a_directory_that_is_missing(access: WriteAccess) -> None:
    with pytest.raises(RefusedError, match="no such file"):
        Transaction.begin(access, [FileChange("/no/file", "/no/file", None, b"1")], audit())
    assert access.store.ids() == ()


def test_many_files_do_not_run_out_of_descriptors(access: WriteAccess, tree: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    changes = []
    for number in range(80):
        (tree / f"etc/{number}.conf").write_text("old")
        path = f"/etc/{number}.conf"
        changes.append(FileChange(path, path, b"old", b"new"))

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        with Transaction.begin(access, changes, audit()) as transaction:
            transaction.write_files()
            transaction.done()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert {path.read_text() for path in (tree / "etc").glob("*.conf")} == {"new"}


@pytest.mark.parametrize("state", [State.PREPARED, State.WRITING, State.COMMITTING])
def test_recovery_says_what_it_found_and_did(tree: Path, state: State) -> None:
    cut_short(tree, BLS, state)
    commits = []

    def commit(_: tuple[int, ...]) -> dict[str, object]:
        commits.append(BLS.found(tree))
        return {}

    with Root(tree) as root:
        store = CheckpointStore.existing(StateDirectory(root))
        assert store is not None
        with store:
            (found,) = store.unfinished()
        with write_access(root, StateDirectory(root), commit=commit) as access:
            (report,) = recover(access)
            assert recover(access) == ()

    assert found.state is state
    assert report.checkpoint.state is state
    assert report.rollback.changed_anything == (state is not State.PREPARED)
    assert BLS.found(tree) == BLS.before
    assert commits == ([BLS.before] if state is State.COMMITTING else [])
    assert temporaries(tree) == []


def test_an_edit_after_a_kill_before_any_file_was_replaced(tree: Path) -> None:
    cut_short(tree, BLS, State.PREPARED)
    (tree / ENTRY).write_text("title Edited\n")

    with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
        recover(access)

    assert BLS.found(tree) == {**BLS.before, ENTRY: "title Edited\n"}


def test_looking_for_what_is_unfinished_writes_nothing(tmp_path: Path) -> None:
    with Root(tmp_path) as root:
        assert CheckpointStore.existing(StateDirectory(root)) is None

    assert list(tmp_path.iterdir()) == []


def test_the_state_directory_can_be_outside(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "elsewhere/state"
    tree.mkdir()
    BLS.make(tree)

    with Root(tree) as root:
        directory = StateDirectory(root, outside)
        with write_access(root, directory) as access, begin(access) as change:
            change.write_files()
            change.done()
        directory.close()

    assert not (tree / "var").exists()
    assert (outside / "checkpoints/1/record.json").exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_state_directory_that_others_may_write_is_not_trusted(tree: Path, mode: int) -> None:
    (tree / "var/lib/secboot").mkdir(parents=True)
    (tree / "var/lib/secboot").chmod(mode)

    with (
        Root(tree) as root,
        pytest.raises(AccessError, match="others may write"),
        write_access(root, StateDirectory(root)),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_a_state_directory_of_somebody_else_is_not_trusted(tree: Path) -> None:
    (tree / "var/lib/secboot").mkdir(parents=True)
    os.chown(tree / "var/lib/secboot", 1234, -1)

    with Root(tree) as root, pytest.raises(AccessError, match="others may write"):
        CheckpointStore.existing(StateDirectory(root))


@pytest.mark.fault
@pytest.mark.parametrize("pages", range(0, 40, 2))
def test_a_file_system_that_is_full(tmp_path: Path, pages: int) -> None:
    """A real small file system with room for some of what an apply writes, not for all."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={(pages + 12) * 4096}", "none", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        try:
            ZIPL_CONF.make(place)
        except (OSError, RefusedError):
            pytest.skip("not even the tree has room")
        with Root(place) as root:
            try:
                with (
                    write_access(root, StateDirectory(root)) as access,
                    Transaction.begin(access, ZIPL_CONF.changes(), audit()) as change,
                ):
                    change.write_files()
                    change.done()
                assert ZIPL_CONF.found(place) == ZIPL_CONF.after
            except (NoSpaceError, RolledBackError):
                assert ZIPL_CONF.found(place) == ZIPL_CONF.before
        assert temporaries(place) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_journal_that_can_not_be_written_does_not_keep_files_from_going_back(
    access: WriteAccess, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pwrite(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(RolledBackError), begin(access) as change:
        change.write_files()
        monkeypatch.setattr(os, "pwrite", pwrite)
        change.committing()

    assert BLS.found(tree) == BLS.before
    with pytest.raises(FileError, match="written down"):
        recover(access)
    monkeypatch.undo()
    (report,) = recover(access)
    assert not report.rollback.files.restored
    assert access.store.unfinished() == ()
