"""A machine's tree in memory, where permissions apply to any user who runs the tests.

pyfakefs has neither openat2(2) nor ``O_PATH``, so a path of the tree is opened as written. That
a path stays inside its tree is tested with real files (tests/system/test_root.py).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem
from pyfakefs.helpers import get_uid, set_uid

from secboot.system import root

SOMEBODY = 1000


@contextmanager
def user(uid: int) -> Iterator[None]:
    """Be another user for a while."""
    before = get_uid()
    set_uid(uid)
    try:
        yield
    finally:
        set_uid(before)


class FakeResolver:
    """`secboot.system.confined.Resolver` for a file system that is the tree."""

    def __init__(self, _root: int) -> None:
        pass

    def open(self, path: bytes, flags: int) -> int:
        """Open a file; with ``O_PATH`` it must only be reachable, not readable."""
        name = os.fsdecode(path)
        mode = os.stat(name).st_mode  # noqa: PTH116 - as the resolvers have it
        if not flags & os.O_PATH and not os.access(name, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with user(0):
            # pyfakefs gives a file the mode of the call, even if it already exists.
            return os.open(name, os.O_RDONLY, mode)

    def open_direct(self, path: bytes, flags: int) -> int:
        """The trees here have no links where links are not allowed."""
        return self.open(path, flags)


@pytest.fixture
def memory(fs: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> FakeFilesystem:
    """An empty file system, whose root is the machine's."""
    monkeypatch.setattr(root, "resolver_for", FakeResolver)
    monkeypatch.setattr("secboot.system.file_errors.os.geteuid", get_uid)
    return fs
