from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.access import Lock, LockedError, Owner, acquire
from secboot.system.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["flock", "no flock"])
def state(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Root]:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    if request.param == "no flock":
        monkeypatch.setattr(fcntl, "flock", refused)
    with Root(tmp_path) as root:
        yield root


def take(state: Root, wait: float = 0.0) -> Lock:
    """Take the lock, trying for `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return acquire(state)
        except LockedError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.02)


def test_one_at_a_time(state: Root) -> None:
    lock = take(state)
    with lock:
        with pytest.raises(LockedError, match=rf"pid {os.getpid()} on .*, since 20\d\d-") as caught:
            take(state)
        assert caught.value.hint == "wait for it to finish"

    lock.release()
    with take(state):
        pass


def test_nothing_but_the_lock_is_left(state: Root, tmp_path: Path) -> None:
    with take(state):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_crash_leaves_no_lock(state: Root) -> None:
    child = os.fork()
    if child == 0:
        take(state)
        os._exit(0)
    os.waitpid(child, 0)

    with take(state):
        pass


def test_a_program_that_outlives_secboot_keeps_the_lock(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with Root(tmp_path) as root:
            lock = take(root)
            started = subprocess.Popen(["sleep", "1000"], pass_fds=lock.inherited)
            os.write(writer, str(started.pid).encode())
            os._exit(0)
    os.waitpid(child, 0)
    program = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)

    with Root(tmp_path) as root:
        with pytest.raises(
            LockedError, match="secboot process that has since died, is still running"
        ):
            take(root)
        os.kill(program, 9)
        with take(root, wait=30):
            pass


@pytest.mark.parametrize("content", [b"", b"rubbish", b"[]", b'{"pid": "x"}'])
def test_the_lock_of_nobody_knows_whom(tmp_path: Path, content: bytes) -> None:
    with Root(tmp_path) as root, take(root):
        (tmp_path / "lock").write_bytes(content)
        with pytest.raises(LockedError, match="another secboot is running"):
            take(root)


def test_terminal_escapes_in_the_lock_are_not_shown_raw(tmp_path: Path) -> None:
    with Root(tmp_path) as root, take(root):
        owner = Owner.current()._replace(host="\x1b[2J", since="\n")
        (tmp_path / "lock").write_bytes(owner.to_bytes())
        with pytest.raises(LockedError) as caught:
            take(root)
    assert str(caught.value).isprintable()
    assert str(caught.value.hint).isprintable()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"boot": "another boot"}, True),
        ({"start": "1"}, True),
        ({"pid": 2**22 + 1}, True),
        ({"host": "elsewhere", "pid": 2**22 + 1}, False),
        ({}, False),
    ],
)
def test_a_lock_file_left_by_a_dead_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], stale: bool
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    owner = Owner.current()._replace(**change)  # type: ignore[arg-type]
    (tmp_path / "lock.owner").write_bytes(owner.to_bytes())

    with Root(tmp_path) as root:
        if stale:
            with take(root):
                pass
        else:
            with pytest.raises(LockedError):
                take(root)
    assert (tmp_path / "lock.owner").exists() is not stale


@pytest.mark.fault
def test_many_at_once_are_one_at_a_time(tmp_path: Path) -> None:
    """Forked processes count up a file; without the lock some counts would be lost."""
    (tmp_path / "count").write_text("0")
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with Root(tmp_path) as root:
                    for _ in range(5):
                        with take(root, wait=60):
                            count = int((tmp_path / "count").read_text())
                            time.sleep(0.002)
                            (tmp_path / "count").write_text(str(count + 1))
                code = 0
            finally:
                os._exit(code)
        children.append(child)

    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert (tmp_path / "count").read_text() == "30"


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "state/lock").symlink_to("../victim")

    with Root(tmp_path / "state") as root, pytest.raises(Exception, match="symbolic link"):
        take(root)

    assert (tmp_path / "victim").read_text() == "precious"
