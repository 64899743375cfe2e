"""Files that are followed like the words of whoever runs secboot, so nobody else may write to them.

The mode of the file alone is not enough. Whoever can change a directory on the way to it can put another
file in its place. So each directory on the way, also those of symbolic links, must belong to root or to
the caller, and only they may be able to write to it. In a directory with the sticky bit (/tmp) others may
create files, but cannot replace files of other users (unlink(2), rename(2)).
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
"""The limit of the kernel (MAXSYMLINKS)."""
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_HINT = "it was not used; create it again in a directory that only you can write to"


def read_trusted(path: str, limit: int, environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the content of a regular file of this machine that only root and the caller can change.

    The callers are the user who runs this process, and the user who called sudo for it. Raises
    `AccessError` if others can write to the file or replace it, and other FileErrors if it cannot be read.
    """
    trusted = _callers(environment)
    with ErrorsAbout(path):
        place = path
        for directory, place in _steps(path):
            _require_directory(directory, place, trusted, path)
        # Checked first: merely opening a device can have an effect.
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
    """Return the user ID of the caller; with sudo, of the user who called sudo (believed only from root)."""
    named = environment.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return int(named) if named.isdecimal() and len(named) <= len(str(2**32)) else os.geteuid()


def is_shared(status: os.stat_result) -> bool:
    """Whether the caller may see the content of a file: others may read it, or the caller owns it.

    Root can read every file. If sudo allows a user to run secboot and little else, an error or a plan that
    quotes the file would disclose it.
    """
    user = os.geteuid()
    return user != 0 or bool(status.st_mode & stat.S_IROTH) or status.st_uid == caller() != 0


def _callers(environment: Mapping[str, str]) -> frozenset[int]:
    # The owner of the root directory decides everything; in a user namespace that is not user 0.
    owner = os.stat("/").st_uid  # noqa: PTH116 - no path is made here
    return frozenset({0, os.geteuid(), owner, caller(environment)})


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Yield each directory in which a name is looked up on the way to `path`, and the path of that name.

    Links are followed; the last path has none.
    """
    left = [*reversed(PurePosixPath(os.getcwd(), path).parts[1:])]  # noqa: PTH109 - only the parts
    here, links = "/", 0
    while left:
        name = left.pop()
        if name == "..":
            here = os.path.dirname(here)  # noqa: PTH120 - a string
            continue
        place = f"{here.rstrip('/')}/{name}"
        yield here, place
        if not stat.S_ISLNK(os.lstat(place).st_mode):
            here = place
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = PurePosixPath(os.readlink(place))  # noqa: PTH115 - a string
        here = "/" if target.is_absolute() else here
        left += reversed(target.parts[target.is_absolute() :])


def _require_directory(directory: str, place: str, trusted: frozenset[int], path: str) -> None:
    status = os.stat(directory)  # noqa: PTH116 - no path is made here
    if status.st_mode & stat.S_ISVTX and status.st_uid in trusted:
        # In it, a file can only be replaced by its owner.
        status = os.lstat(place)
        if status.st_uid in trusted:
            return
    _require(status, trusted, path, f"the directory {visible(directory)}")


def _require(status: os.stat_result, trusted: frozenset[int], path: str, what: str) -> None:
    if status.st_uid not in trusted:
        owner = f"belongs to another user (ID {status.st_uid})"
        raise AccessError(f"{what} {owner}, so it cannot be trusted", path=path, hint=_HINT)
    if status.st_mode & _OTHERS:
        raise AccessError(
            f"{what} is writable by other users, so it cannot be trusted", path=path, hint=_HINT
        )
