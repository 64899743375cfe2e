# ruff: noqa: PT012 - the tests are about how whole blocks are left
from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import InterruptError, WriteAccess, write_access
from secboot.checkpoint.by_hand import commands_by_hand
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.journal import Journal, State
from secboot.checkpoint.record import Checkpoint, FileVersion, Record, SavedFile
from secboot.checkpoint.recovery import recover
from secboot.checkpoint.rollback_report import BootRecordOutcome
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.transaction import Transaction
from secboot.errors import RefusedError, RolledBackError, StateKind, StuckError
from secboot.progress import Phase, Progress
from secboot.system.file_errors import AccessError, ChangedError, FileError, NoSpaceError
from secboot.system.files import FileAttributes, FileChange
from secboot.system.root import Root
from tests.available import not_here, require_root, unavailable
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
    """The runs of zipl that a rollback started."""
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
    # The files are as before: nothing says how to restore them.
    assert "checkpoints/1" not in hint
    assert broken.ledger.state.kind is StateKind.ZIPL_DUE

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


class InterruptedTidying(Progress):
    """Sends a signal when the change is complete and only cleaning up is left."""

    def report(self, phase: Phase, *_: object, **__: object) -> None:
        if phase is Phase.TIDYING:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_comes_too_late_is_reported(tree: Path) -> None:
    said: list[str] = []

    with (
        Root(tree) as root,
        write_access(
            root, StateDirectory(root), notice=said.append, progress=InterruptedTidying()
        ) as access,
        begin(access) as change,
    ):
        change.write_files()
        change.done()

    assert said == [
        "SIGINT: stopping at the next safe point",
        "SIGINT came too late: the change is complete",
    ]
    assert access.ledger.state.kind is StateKind.CHANGED
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
    """The other files are restored; the edited one stays as its editor left it."""
    with pytest.raises(RolledBackError, match="another program changed"), begin(access) as change:
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


def test_an_edit_of_the_new_file_is_not_overwritten(
    access: WriteAccess, tree: Path, commits: list[object]
) -> None:
    """The change is rolled back around it, says so, and is finished."""
    with pytest.raises(RolledBackError, match="zipl failed") as caught, begin(access) as change:
        change.write_files()
        change.committing()
        (tree / SECOND).write_text("title Edited\n")
        raise RefusedError("zipl failed")

    assert f"left as it is: /{SECOND}" in str(caught.value.hint)
    assert f"{tree}/var/lib/secboot/checkpoints/1/before.tar" in str(caught.value.hint)
    assert BLS.found(tree) == {**BLS.before, SECOND: "title Edited\n"}
    assert commits == [access.lock.inherited]
    assert temporaries(tree) == []
    assert access.store.unfinished() == ()
    found = access.store.get("1")
    assert found.journal[-1].facts["left"] == [f"/{SECOND}"]
    saved = next(file for file in found.record.files if file.path == f"/{SECOND}")
    assert access.store.before(found, saved) == (BLS.before[SECOND] or "").encode()


def cut_short_and_edited(tree: Path) -> None:
    cut_short(tree, BLS, State.WRITING)
    (tree / SECOND).write_text("title Edited\n")


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [(Conflict.KEEP, "title Edited\n"), (Conflict.OVERWRITE, BLS.before[SECOND])],
)
def test_an_edit_of_a_change_that_was_cut_short(
    tree: Path, conflict: Conflict, expected: str
) -> None:
    cut_short_and_edited(tree)

    with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
        (report,) = recover(access, conflict)
        assert access.store.unfinished() == ()

    assert report.rollback.files.left == ((f"/{SECOND}",) if conflict is Conflict.KEEP else ())
    assert (tree / SECOND).read_text() == expected
    assert temporaries(tree) == []


@pytest.mark.usefixtures("as_root")
def test_what_can_not_be_put_back_is_tried_once_more_and_then_left(
    access: WriteAccess, tree: Path
) -> None:
    path = str(tree / SECOND)
    try:
        with pytest.raises(StuckError, match="ROLLBACK FAILED") as caught, begin(access) as change:
            change.write_files()
            if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
                not_here("this file system has no immutable files")
            raise RefusedError("zipl failed")
        assert f"-C {tree}" in str(caught.value.hint)
        assert state(access) is State.STUCK
        assert (tree / ENTRY).read_text() == BLS.before[ENTRY]
        (report,) = recover(access)
    finally:
        subprocess.run(["chattr", "-i", path], check=False, capture_output=True)

    assert [failed.path for failed in report.rollback.files.failed] == [f"/{SECOND}"]
    assert access.store.unfinished() == ()
    assert temporaries(tree) == []
    with begin_again(access, tree) as change:
        change.write_files()
        change.done()


def begin_again(access: WriteAccess, tree: Path) -> Transaction:
    changes = [FileChange("/etc/new", "/etc/new", None, b"x")]
    (tree / "etc").mkdir(exist_ok=True)
    return Transaction.begin(access, changes, audit())


def test_what_is_done_by_hand_does_what_it_says(tree: Path) -> None:
    cut_short_and_edited(tree)

    with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
        commands = commands_by_hand(access, access.store.get("1"))
    for command in commands:
        subprocess.run(["sh", "-ec", command], check=True)

    assert BLS.found(tree) == BLS.before
    assert stat.S_IMODE((tree / SECOND).stat().st_mode) == 0o600


@pytest.fixture
def odd(tmp_path: Path) -> Checkpoint:
    """The record of a change on the running system, with odd names and a label."""
    version = FileVersion("0" * 64, 1, FileAttributes(0o640, 1, 2, (("security.selinux", b"x"),)))
    names = [f".secboot-{number:016x}.tmp" for number in range(4)]
    files = (
        SavedFile("/etc/it's", "/etc/it's", version, None, *names[:2]),
        SavedFile("/etc/a\nb\udcff", "/etc/a\nb\udcff", None, version, *names[2:]),
    )
    return Checkpoint(Record("7", "/", audit(), files), (), str(tmp_path / "7"))


def test_by_hand_the_boot_record_comes_last_and_odd_names_are_quoted(
    access: WriteAccess, tree: Path, odd: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever root the record names, the commands act on the root in use."""
    monkeypatch.setattr(CheckpointStore, "holds_what_it_says", lambda *_: True)
    by_hand = access._replace(by_hand="chroot mnt zipl")

    assert commands_by_hand(by_hand, odd) == (
        f"tar -xpf {tree}/7/before.tar -C {tree}",
        f"""setfattr -n security.selinux -v 0x78 '{tree}/etc/it'"'"'s'""",
        "rm -f -- $'" + "".join(f"\\{b:03o}" for b in f"{tree}/etc/a\nb".encode()) + "\\377'",
        "chroot mnt zipl",
    )


def test_by_hand_no_link_leads_out_of_the_root(
    access: WriteAccess, tree: Path, odd: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CheckpointStore, "holds_what_it_says", lambda *_: True)
    (tree / "etc").rename(tree / "usr")
    (tree / "etc").symlink_to("/etc")

    assert commands_by_hand(access, odd) == ()


@pytest.mark.parametrize("kind", ["another file", "a link", "damaged", "missing"])
def test_by_hand_no_archive_is_used_that_holds_other_files(tree: Path, kind: str) -> None:
    cut_short_and_edited(tree)
    archive = tree / "var/lib/secboot/checkpoints/1/before.tar"
    if kind == "damaged":
        archive.write_bytes(archive.read_bytes().replace(b"root=", b"boot="))
    elif kind == "missing":
        archive.unlink()
    else:
        info = tarfile.TarInfo("etc/shadow")
        info.type, info.linkname = (tarfile.SYMTYPE if kind == "a link" else b"0"), "/etc/shadow"
        with tarfile.open(archive, "a") as found:
            found.addfile(info)

    with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
        commands = commands_by_hand(access, access.store.get("1"))

    assert commands == (f"rm -f -- {tree}/etc/kernel/cmdline",)


@pytest.mark.usefixtures("as_root")
def test_going_back_restores_every_attribute(access: WriteAccess, tree: Path) -> None:
    """Also if the old file itself no longer exists and is created from its saved copy."""
    os.chown(tree / ENTRY, 1234, 5678)
    (tree / ENTRY).chmod(0o4640)
    try:
        os.setxattr(tree / ENTRY, "user.origin", b"\0\xff")
        os.setxattr(tree / ENTRY, "security.selinux", b"system_u:object_r:boot_t:s0\0")
    except OSError as error:
        not_here(f"the file system of {tree} has no such attributes: {error.strerror}")
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
    with pytest.raises(RefusedError, match="not found"):
        Transaction.begin(access, [FileChange("/no/file", "/no/file", None, b"1")], audit())
    assert access.store.ids() == ()


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("others", ["new/theirs", "new/made/theirs", None])
def test_created_directories_are_removed_unless_others_use_them(
    access: WriteAccess, tree: Path, others: str | None, *, written: bool
) -> None:
    (tree / "new/made").mkdir(parents=True)
    if others is not None:
        (tree / others).write_text("theirs")
    change = FileChange("/new/made/file", "/new/made/file", None, b"1")

    def fail() -> None:
        made = ("/new", "/new/made")
        with Transaction.begin(access, [change], audit(), directories=made) as transaction:
            if written:
                transaction.write_files()
            raise RefusedError("zipl failed")

    with pytest.raises(RefusedError if not written else RolledBackError, match="zipl failed"):
        fail()

    assert (tree / "new").exists() == (others is not None)
    assert (tree / "new/made").exists() == (others == "new/made/theirs")
    assert others is None or (tree / others).read_text() == "theirs"


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
    # Meanwhile somebody may have run zipl on the files of the change.
    assert commits == ([] if state is State.PREPARED else [BLS.before])
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
        pytest.raises(AccessError, match="writable by other users"),
        write_access(root, StateDirectory(root)),
    ):
        pass


@pytest.mark.usefixtures("as_root")
def test_a_state_directory_of_somebody_else_is_not_trusted(tree: Path) -> None:
    (tree / "var/lib/secboot").mkdir(parents=True)
    os.chown(tree / "var/lib/secboot", 1234, -1)

    with Root(tree) as root, pytest.raises(AccessError, match="writable by other users"):
        CheckpointStore.existing(StateDirectory(root))


@pytest.mark.fault
@pytest.mark.parametrize("pages", range(0, 40, 2))
def test_a_file_system_that_is_full(tmp_path: Path, pages: int) -> None:
    """A real small file system with space for a part of what an apply writes."""
    require_root()
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={(pages + 12) * 4096}", "none", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        unavailable("mounting is not permitted here")
    try:
        ZIPL_CONF.make(place)
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
    def append(*_: object) -> None:
        raise FileError("no space", path="journal", code=errno.ENOSPC)

    with pytest.raises(RolledBackError), begin(access) as change:
        change.write_files()
        monkeypatch.setattr(Journal, "append", append)
        change.committing()

    assert BLS.found(tree) == BLS.before
    with pytest.raises(FileError, match="cannot be recorded"):
        recover(access)
    monkeypatch.undo()
    (report,) = recover(access)
    assert not report.rollback.files.restored
    assert access.store.unfinished() == ()
