"""Files that count as the word of whoever runs secboot: nobody else may write to them.

That takes more than the file's own mode. Whoever may change a directory on the way to it can put
another file in its place, so each directory that is passed, those of symbolic links among them, has
to belong to root or to the caller, and only they may write to it. In a directory with the sticky
bit (/tmp) others may make files, but replace none that is not theirs (unlink(2), rename(2)).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from secboot.system.file_errors import AccessError, ErrorsAbout
from secboot.system.files import READ_FLAGS, read_all, require_regular
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_LINKS = 40
"""As the kernel (MAXSYMLINKS)."""
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_HINT = "nothing of it was used; keep it where only you may write, and make it again"


def read_trusted(path: str, limit: int, environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the content of a regular file of the host that only root and the caller may change.

    The caller is who runs this process, and who called sudo for it. Raises `AccessError` where
    others may write to the file or replace it, and other FileErrors where it can't be read.
    """
    trusted = _callers(environment)
    with ErrorsAbout(path):
        place = path
        for directory, place in _steps(path):
            _require_directory(directory, place, trusted, path)
        # Looked at first: merely opening a device can act on it.
        require_regular(os.lstat(place), path)
        file = os.open(place, READ_FLAGS | os.O_NOFOLLOW)
        try:
            status = os.fstat(file)
            require_regular(status, path)
            _require(status, trusted, path, "this file")
            return read_all(file, path, limit)
        finally:
            os.close(file)


def caller(environment: Mapping[str, str] = os.environ) -> int:
    """Return the user id of who called: behind sudo, who called that (only root gets to say so)."""
    named = environment.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return int(named) if named.isdecimal() and len(named) <= len(str(2**32)) else os.geteuid()


def is_shared(status: os.stat_result) -> bool:
    """Whether whoever calls may be shown what a file holds: others may read it, or he owns it.

    Root may read every file, and where sudo allows secboot and little else, an error or a plan that
    repeats some of it would show it to others.
    """
    user = os.geteuid()
    return user != 0 or bool(status.st_mode & stat.S_IROTH) or status.st_uid == caller() != 0


def _callers(environment: Mapping[str, str]) -> frozenset[int]:
    # Whoever owns the root directory decides everything; in a user namespace that is not user 0.
    owner = os.stat("/").st_uid  # noqa: PTH116 - no path is made here
    return frozenset({0, os.geteuid(), owner, caller(environment)})


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Each directory in which a name is looked up on the way to `path`, with the place of that name.

    Links are followed, the last place is free of them.
    """
    left = [*reversed(PurePosixPath(os.getcwd(), path).parts[1:])]  # noqa: PTH109 - parts alone
    here, links = "/", 0
    while left:
        name = left.pop()
        if name == "..":
            here = os.path.dirname(here)  # noqa: PTH120 - a text
            continue
        place = f"{here.rstrip('/')}/{name}"
        yield here, place
        if not stat.S_ISLNK(os.lstat(place).st_mode):
            here = place
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = PurePosixPath(os.readlink(place))  # noqa: PTH115 - a text
        here = "/" if target.is_absolute() else here
        left += reversed(target.parts[target.is_absolute() :])


def _require_directory(directory: str, place: str, trusted: frozenset[int], path: str) -> None:
    status = os.stat(directory)  # noqa: PTH116 - no path is made here
    if status.st_mode & stat.S_ISVTX and status.st_uid in trusted:
        # What is in it belongs to who may replace it.
        status = os.lstat(place)
        if status.st_uid in trusted:
            return
    _require(status, trusted, path, f"the directory {visible(directory)}")


def _require(status: os.stat_result, trusted: frozenset[int], path: str, what: str) -> None:
    if status.st_uid not in trusted:
        owner = f"belongs to another user (id {status.st_uid})"
        raise AccessError(f"{what} {owner}: not to be trusted", path=path, hint=_HINT)
    if status.st_mode & _OTHERS:
        raise AccessError(f"others may write to {what}: not to be trusted", path=path, hint=_HINT)
