"""Commands that only read need no write access: their output is the same if the kernel forbids it.

Each runs in a process that Landlock (landlock(7), Linux 5.13) prevents from writing to, creating,
removing and renaming any file of the machine. Its output is opened before.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from secboot.cli import main
from tests.available import not_here
from tests.command import Said, forked, secboot
from tests.trees import snapshot

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG = 1
_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _REMOVE_TO_MAKE_SYMLINK, _REFER, _TRUNCATE = 1 << 1, 0x1FF0, 1 << 13, 1 << 14
"""Accesses of include/uapi/linux/landlock.h; the last two came with versions 2 and 3."""

LOOKING = [
    ("plan", "guest", "--root"),
    ("plan", "host", "--diff", "--output", "json", "--root"),
    ("apply", "guest", "--dry-run", "--root"),
    ("set", "prot_virt-", "nosmt", "--dry-run", "--root"),
    ("set", "nosmt", "--show-profile", "--root"),
    ("rollback", "--dry-run", "--root"),
    ("rollback", "1", "--dry-run", "--force", "--output", "json", "--root"),
    ("status", "--root"),
    ("status", "guest", "--output", "json", "--root"),
    ("verify", "host", "--stage", "installed", "--root"),
    ("show", "--root"),
    ("check", "--root"),
    ("history", "--root"),
    ("profile", "list", "--root"),
]


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of the kernel; 0 if it has no Landlock, or was booted without."""
    version: int = libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(version, 0)


def forbid_writing() -> None:
    """Prevent this process from changing any file for as long as it lives."""
    version = landlock_version()
    accesses = _WRITE_FILE | _REMOVE_TO_MAKE_SYMLINK
    accesses |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = ctypes.c_uint64(accesses)
    ruleset = libc().syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    assert ruleset >= 0, os.strerror(ctypes.get_errno())
    assert libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert libc().syscall(_RESTRICT_SELF, ruleset, 0) == 0, os.strerror(ctypes.get_errno())


def confined(work: Callable[[], int]) -> Said:
    """Do this in a process that cannot write to files."""

    def inside() -> int:
        forbid_writing()
        return work()

    return forked(inside)


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A machine with an applied change."""
    if landlock_version() == 0:
        not_here("this kernel has no Landlock")
    assert secboot(capsys, "demo", tmp_path / "machine").code == 0
    assert secboot(capsys, "apply", "host", "--root", tmp_path / "machine").code == 0
    return tmp_path / "machine"


def test_nothing_can_be_written_then(machine: Path) -> None:
    def write() -> int:
        try:
            (machine / "new").write_text("")
        except OSError as error:
            return error.errno or 0
        return 0

    assert confined(write).code == errno.EACCES


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_what_only_looks_says_the_same(
    words: tuple[str, ...],
    machine: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # the same second in both documents
    said = secboot(capsys, *words, machine)

    assert confined(lambda: main([*words, str(machine)])) == said
    assert said.code in {0, 5}
    assert said.out


def test_what_changes_something_does_not_get_through(machine: Path) -> None:
    before = snapshot(machine)

    said = confined(lambda: main(["rollback", "--root", str(machine)]))

    assert said.code == 1, said
    assert "lock: permission denied" in said.err
    assert snapshot(machine) == before
