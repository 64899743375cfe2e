"""Opening paths so that nothing outside a directory tree is ever reached.

The tree may come from somebody else, and may change while it is read. Paths are resolved as for a process
whose root directory is the tree (chroot(2)): absolute symbolic links start at the root of the tree, ``..``
stops there, and the limit is forty links (path_resolution(7)).

Two implementations behave alike: `KernelResolver` lets the kernel resolve paths (openat2(2), Linux 5.6),
`WalkResolver` goes component by component and checks each before the next step. They differ in one point:
links of /proc that jump to an open file are refused by the first, and read as their plain text by the
second. Neither leaves the tree.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import Protocol, Self

from secboot.system.syscalls import (
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    UnavailableError,
    openat2,
)

LINK_LIMIT = 40
"""How many symbolic links of one path are followed before it is a loop (MAXSYMLINKS of the kernel)."""
_PATH_BYTES = 4096
_RACE_LIMIT = 200
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Resolver(Protocol):
    """Opens paths inside one directory tree. Paths are bytes; a leading ``/`` is the tree's root.

    Every failure is an OSError with an errno of open(2). Programs do not inherit a returned file
    descriptor. `flags` never include O_CREAT.
    """

    def open(self, path: bytes, flags: int) -> int:
        """Open `path`, following symbolic links inside the tree (with O_NOFOLLOW, all but the last)."""
        ...

    def open_direct(self, path: bytes, flags: int) -> int:
        """Open `path` if no part of it is a symbolic link; otherwise ELOOP."""
        ...


def resolver_for(root: int) -> Resolver:
    """Return the best resolver that this kernel supports for the directory open as `root`."""
    try:
        os.close(openat2(root, b"/", os.O_PATH, RESOLVE_IN_ROOT))
    except (UnavailableError, OSError):
        return WalkResolver(root)
    return KernelResolver(root)


class KernelResolver:
    """A `Resolver` that uses openat2(2)."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._walk = WalkResolver(root)

    def open(self, path: bytes, flags: int) -> int:
        """See `Resolver.open`."""
        return self._open(path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, self._walk.open)

    def open_direct(self, path: bytes, flags: int) -> int:
        """See `Resolver.open_direct`."""
        resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
        return self._open(path, flags, resolve, self._walk.open_direct)

    def _open(self, path: bytes, flags: int, resolve: int, otherwise: _Open) -> int:
        if b"\0" in path:
            raise OSError(errno.ENOENT, "a name contains a NUL")
        for _ in range(_RACE_LIMIT):
            try:
                return openat2(self._root, path, flags, resolve)
            except BlockingIOError:
                # EAGAIN: because of a rename elsewhere, the kernel could not verify a "..".
                continue
            except UnavailableError:
                break
        return otherwise(path, flags)


class _Open(Protocol):
    def __call__(self, path: bytes, flags: int, /) -> int: ...


class WalkResolver:
    """A `Resolver` that goes component by component, for kernels and filters without openat2(2)."""

    def __init__(self, root: int) -> None:
        self._root = root

    def open(self, path: bytes, flags: int) -> int:
        """See `Resolver.open`."""
        return self._open(path, flags, LINK_LIMIT)

    def open_direct(self, path: bytes, flags: int) -> int:
        """See `Resolver.open_direct`."""
        return self._open(path, flags, 0)

    def real_path(self, path: bytes) -> bytes:
        """Return the absolute path inside the tree that `path` leads to, without links and ``..``.

        A missing last part is kept as it is, so that a file to be created also has a real path, even at the
        end of a dangling link; ENOENT if it contains ``..``.
        """
        with _Walk(self._root, LINK_LIMIT) as walk:
            walk.follow(path, follow_last=True, may_be_missing=True)
            return walk.path

    def _open(self, path: bytes, flags: int, links: int) -> int:
        for _ in range(_RACE_LIMIT):
            with _Walk(self._root, links) as walk:
                walk.follow(path, follow_last=not flags & os.O_NOFOLLOW)
                opened = walk.reopen(flags)
                if opened is not None:
                    return opened
        raise OSError(errno.EAGAIN, "the path keeps changing")


class _Walk:
    """A position in the tree: the directories entered on the way, each held open.

    ``..`` returns to the directory that was entered before and is never looked up, so a directory that is
    moved meanwhile cannot lead out of the tree.
    """

    def __init__(self, root: int, links: int) -> None:
        self._root = root
        self._links = links
        self._entered: list[tuple[bytes, int]] = []
        self._missing: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._restart()

    @property
    def path(self) -> bytes:
        names = [name for name, _ in self._entered] + self._missing
        return b"/" + b"/".join(names)

    @property
    def _here(self) -> int:
        return self._entered[-1][1] if self._entered else self._root

    def follow(self, path: bytes, *, follow_last: bool, may_be_missing: bool = False) -> None:
        """Follow `path` from the root of the tree."""
        if b"\0" in path:
            raise OSError(errno.ENOENT, "a name contains a NUL")
        if len(path) >= _PATH_BYTES:
            raise OSError(errno.ENAMETOOLONG, "the path is too long")
        pending = deque(_components(path))
        while pending:
            name = pending.popleft()
            if name == b".":
                continue
            if self._missing:
                self._note_missing(name)
            elif name == b"..":
                self._back()
            else:
                self._step(name, pending, follow_last, may_be_missing)

    def reopen(self, flags: int) -> int | None:
        """Open with `flags` what was reached; None if something else is there now."""
        if not self._entered:
            return os.open(b".", flags | os.O_CLOEXEC, dir_fd=self._root)
        name, reached = self._entered[-1]
        if flags & os.O_PATH:
            return os.dup(reached)
        status = os.fstat(reached)
        if stat.S_ISDIR(status.st_mode):
            return os.open(b".", flags | os.O_CLOEXEC, dir_fd=reached)
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        parent = self._entered[-2][1] if len(self._entered) > 1 else self._root
        return _open_same(parent, name, flags, status)

    def _step(
        self, name: bytes, pending: deque[bytes], follow_last: bool, may_be_missing: bool
    ) -> None:
        try:
            found = os.open(name, _LOOK, dir_fd=self._here)
        except FileNotFoundError:
            if not may_be_missing:
                raise
            self._note_missing(name)
            return
        self._entered.append((name, found))
        mode = os.fstat(found).st_mode
        if stat.S_ISLNK(mode) and (pending or follow_last):
            self._follow_link(found, pending)
        elif pending and not stat.S_ISDIR(mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def _follow_link(self, link: int, pending: deque[bytes]) -> None:
        if self._links == 0:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._links -= 1
        target = os.readlink(b"", dir_fd=link)
        self._back()
        if target.startswith(b"/"):
            self._restart()
        pending.extendleft(reversed(_components(target)))

    def _note_missing(self, name: bytes) -> None:
        if name == b"..":
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._missing.append(name)

    def _back(self) -> None:
        if self._entered:
            os.close(self._entered.pop()[1])

    def _restart(self) -> None:
        while self._entered:
            self._back()


def _components(path: bytes) -> list[bytes]:
    """Return the names in `path`. A path with a final slash must be a directory: ``x/`` is ``x/.``."""
    names = [name for name in path.split(b"/") if name]
    if path.endswith(b"/") and names:
        names.append(b".")
    return names


def _open_same(parent: int, name: bytes, flags: int, expected: os.stat_result) -> int | None:
    """Open `name` in `parent` if it is still the file with the status `expected`."""
    try:
        opened = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOENT}:
            return None
        raise
    if os.path.samestat(os.fstat(opened), expected):
        return opened
    os.close(opened)
    return None
