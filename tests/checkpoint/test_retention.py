"""What is kept: changes that stand, and what their rollback needs, whatever fails."""

from __future__ import annotations

import random
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import WriteAccess, write_access
from secboot.checkpoint.record import Action
from secboot.checkpoint.retention import FAILURES, KEEP, kept, prune
from secboot.checkpoint.rollback import way_back
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.transaction import Transaction
from secboot.checkpoint.undo import newest_apply, standing
from secboot.errors import RefusedError, RolledBackError
from secboot.system.file_errors import AccessError
from secboot.system.files import FileChange
from secboot.system.root import Root
from tests.checkpoint.scenes import STATE, audit
from tests.command import secboot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERYTHING = 10_000


class History:
    """A file that is changed repeatedly; checkpoints are made, and kept according to `keep`."""

    def __init__(self, access: WriteAccess, tree: Path) -> None:
        self.access, self.file, self.number = access, tree / "a", 0

    def apply(self, *, fail: bool = False) -> str:
        self.number += 1
        before = self.file.read_bytes() if self.file.exists() else None
        change = FileChange("/a", "/a", before, b"%d" % self.number)
        with (
            suppress(RolledBackError),
            Transaction.begin(self.access, [change], audit()) as transaction,
        ):
            transaction.write_files()
            if fail:
                raise RefusedError("zipl failed")
            transaction.done()
        return transaction.checkpoint.id

    def roll_back(self, number: str | None = None) -> None:
        newest = newest_apply(self.access.store).checkpoint
        if number is not None:
            newest = self.access.store.get(number)
        if newest is None:
            return
        changes = way_back(self.access, newest).changes
        reason = audit(Action.ROLLBACK, newest.id)
        with Transaction.begin(self.access, changes, reason) as transaction:
            transaction.write_files()
            transaction.done()

    @property
    def ids(self) -> list[int]:
        return [int(number) for number in self.access.store.ids()]

    def has_copies(self, number: int) -> bool:
        place = self.file.parent / STATE / f"checkpoints/{number}"
        return (place / "before.tar").exists() or (place / "after.tar").exists()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with Root(tmp_path) as root, write_access(root, StateDirectory(root), keep=3) as access:
        yield History(access, tmp_path)


def test_failures_push_out_nothing_and_lose_their_copies(history: History) -> None:
    history.apply()
    for _ in range(10):
        history.apply(fail=True)
    history.apply()

    assert history.ids == list(range(1, 13))
    assert [number for number in history.ids if history.has_copies(number)] == [1, 12]
    history.roll_back()
    assert history.file.read_bytes() == b"1"
    history.roll_back()
    assert not history.file.exists()


def test_changes_that_came_to_nothing_push_out_no_change_that_stands(history: History) -> None:
    first = history.apply()
    for _ in range(10):
        history.apply()
        history.roll_back()

    newest = newest_apply(history.access.store).checkpoint
    assert newest is not None
    assert newest.id == first
    assert history.ids == [1, 16, 17, 18, 19, 20, 21]


def test_a_rollback_that_was_rolled_back_makes_its_apply_stand_again(history: History) -> None:
    first = history.apply()
    for number in ("1", "2"):
        history.roll_back(number)

    newest = newest_apply(history.access.store).checkpoint
    assert newest is not None
    assert newest.id == first
    assert history.file.read_bytes() == b"1"


def test_the_checkpoint_of_the_active_profile_is_never_dropped(history: History) -> None:
    """Other changes that stand, such as repairs, have none."""
    access = history.access
    history.file.write_bytes(b"0")
    profile = audit()._replace(profile="guest")
    with Transaction.begin(access, [FileChange("/a", "/a", b"0", b"x")], profile) as transaction:
        transaction.write_files()
        transaction.done()
    for _ in range(6):
        history.apply()

    assert history.ids == [1, 5, 6, 7]


def test_the_records_of_failures_are_limited(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secboot.checkpoint.retention.FAILURES", 5)
    for _ in range(9):
        history.apply(fail=True)

    assert history.ids == [5, 6, 7, 8, 9]
    assert FAILURES == 1000


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_counts_is_dropped(seed: int, tmp_path: Path) -> None:
    """Random histories, kept completely and pruned at each step, agree on what stands."""
    chance = random.Random(seed)  # noqa: S311 - the same steps each time
    steps = [chance.choice(["apply", "apply", "fail", "back"]) for _ in range(40)]
    trees = [tmp_path / "all", tmp_path / "few"]
    for tree in trees:
        tree.mkdir()
    with (
        Root(trees[0]) as whole,
        Root(trees[1]) as few,
        write_access(whole, StateDirectory(whole), keep=EVERYTHING) as everything,
        write_access(few, StateDirectory(few), keep=4) as pruned,
    ):
        histories = [History(everything, trees[0]), History(pruned, trees[1])]
        for step in steps:
            for each in histories:
                if step == "back":
                    each.roll_back()
                else:
                    each.apply(fail=step == "fail")
            found = [newest_apply(each.access.store).checkpoint for each in histories]
            applies = [_applies(each) for each in histories]
            if found[1] is None:
                # What is older than the limit can no longer be rolled back.
                break
            assert found[0] is not None
            assert found[0].id == found[1].id
            assert applies[1] == applies[0][-len(applies[1]) :]
            assert histories[0].file.read_bytes() == histories[1].file.read_bytes()


def _applies(history: History) -> list[str]:
    found = standing(tuple(reversed(history.access.store.checkpoints())))
    return [
        each.id
        for each in reversed(list(found))
        if not hasattr(each, "finding") and each.record.audit.action is Action.APPLY
    ]


def test_without_a_limit_nothing_is_dropped(history: History) -> None:
    history.access = history.access._replace(keep=None)
    for _ in range(6):
        history.apply()
        history.apply(fail=True)

    assert history.ids == list(range(1, 13))
    assert prune(history.access.store, None).dropped == ()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (None, KEEP),
        ("7\n", 7),
        ("# our policy\n\n 7 \n", 7),
        ("10000", 10_000),
        ("0", None),
        ("-1", None),
        ("10001", None),
        ("9" * 5000, None),
        ("7 8", None),
        ("7\n8\n", None),
        ("", None),
        ("many\x1b[31m", None),
        ("\u0667", None),
    ],
)
def test_the_limit_that_a_machine_sets(text: str | None, limit: int | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "etc/secboot").mkdir(parents=True)
        (tmp_path / "etc/secboot/checkpoints").write_text(text)

    with Root(tmp_path) as root:
        found = kept(root)

    assert found.limit == limit
    if limit is None:
        assert found.problem is not None
        assert f"{tmp_path}/etc/secboot/checkpoints" in str(found.problem.location)


def test_history_shows_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "m"
    secboot(capsys, "demo", root)
    (root / "etc/secboot").mkdir(exist_ok=True)
    limit = root / "etc/secboot/checkpoints"
    limit.write_text("2\n")
    for profile in ("guest", "host", "guest-large", "host-off"):
        assert secboot(capsys, "apply", profile, "--root", root).code == 0

    said = secboot(capsys, "history", "--root", root)
    assert [line.split()[0] for line in said.out.splitlines()[1:3]] == ["4", "3"]
    assert (
        "The newest 2 changes not yet rolled back can be undone; /etc/secboot/checkpoints"
        in said.out
    )
    limit.write_text("two\n")
    said = secboot(capsys, "apply", "guest-off", "--root", root)
    assert said.code == 0
    assert f"{limit}: warning: cannot tell how many changes to keep" in said.err
    assert "  5 " not in said.err
    history = secboot(capsys, "history", "--root", root)
    assert "none is dropped: it must contain one number from 1 to 10000" in history.out


def test_directories_above_the_state_directory_are_as_the_system_makes_them(
    tmp_path: Path,
) -> None:
    with Root(tmp_path) as root, write_access(root, StateDirectory(root)):
        pass

    modes = {
        path: stat.S_IMODE((tmp_path / path).stat().st_mode)
        for path in ("var", "var/lib", "var/lib/secboot", "var/lib/secboot/checkpoints")
    }
    assert list(modes.values()) == [0o755, 0o755, 0o700, 0o700]


@pytest.mark.parametrize("place", ["var", "var/lib"])
@pytest.mark.parametrize("kind", ["mode", "link"])
@pytest.mark.parametrize("made", [True, False], ids=["there", "not yet there"])
def test_nobody_else_may_write_above_the_state_directory(
    place: str,
    kind: str,
    made: bool,
    tmp_path: Path,
) -> None:
    """Whoever can write there can put another directory in its place."""
    tree = tmp_path / "m"
    (tree / ("var/lib/secboot" if made else "var/lib")).mkdir(parents=True)
    writable = tree / place
    if kind == "link":
        (tree / "srv").mkdir()
        moved = tree / "srv" / writable.name
        writable.rename(moved)
        writable.symlink_to(f"/srv/{writable.name}")
        writable = tree / "srv"
    writable.chmod(0o777)

    with (
        Root(tree) as root,
        pytest.raises(AccessError, match="writable by other users") as caught,
        write_access(root, StateDirectory(root)),
    ):
        pass
    assert f"chmod go-w {writable}" in str(caught.value.hint)
    writable.chmod(0o1777)
    with Root(tree) as root, write_access(root, StateDirectory(root)):
        pass


@pytest.mark.parametrize("words", ["apply guest", "keep", "rollback 1"])
def test_what_a_kill_at_the_very_end_left_is_removed(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also if there is nothing else to do."""
    root = tmp_path / "m"
    secboot(capsys, "demo", root)
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    if words.startswith("rollback"):
        assert secboot(capsys, "rollback", "--root", root).code == 0
    with Root(root) as opened, write_access(opened, StateDirectory(opened)) as access:
        newest = access.store.checkpoints()[-1]
    left = [
        root / STATE / "checkpoints/.old-1",
        root / STATE / f"checkpoints/{newest.id}/journal.new",
    ]
    left[0].mkdir()
    left[1].write_bytes(b"")
    for file in newest.record.files:
        left.append((root / file.path[1:]).with_name(file.prepared))
        left[-1].write_bytes(b"the old one")

    said = secboot(capsys, *words.split(), "--root", root)

    assert said.code == 0, said.err
    assert [path for path in left if path.exists()] == []
