"""The directory that holds the lock and the checkpoints: ``/var/lib/secboot`` in the root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secboot.system.file_errors import AccessError
from secboot.system.root import Root, parents
from secboot.visible import shell_word

if TYPE_CHECKING:
    from pathlib import Path

    from secboot.system.files import FileStat

DEFAULT_PATH = "/var/lib/secboot"
CHECKPOINTS = "/checkpoints"
_PRIVATE = 0o700


class StateDirectory:
    """Where secboot keeps its checkpoints and its lock for a root.

    By default it is inside the root; `host_directory` moves it to a directory of this machine, so that
    an image contains no backups. Its content decides which files are restored, with which content, owner
    and mode. So the directory must belong to root, or to the user who runs secboot, and nobody else may
    be able to write to it, or to replace it by writing to a directory above it.
    """

    def __init__(self, root: Root, host_directory: Path | None = None) -> None:
        self._own_tree: Root | None = None
        if host_directory is None:
            self._tree, self.path = root, DEFAULT_PATH
        else:
            self._tree = self._own_tree = Root(type(host_directory)("/"))
            self.path = os.path.abspath(host_directory)  # noqa: PTH100 - `..` is resolved by Root

    @property
    def is_in_root(self) -> bool:
        """Whether `path` is inside the root."""
        return self._own_tree is None

    @property
    def shown(self) -> str:
        """The path of the directory as the user sees it."""
        return self._tree.shown(self.path)

    def close(self) -> None:
        """Close what was opened."""
        if self._own_tree is not None:
            self._own_tree.close()

    def open(self) -> Root | None:
        """Return the directory as a tree of its own; None if it does not exist. Writes nothing.

        Raises `AccessError` if it cannot be read, or if others can write to it.
        """
        found = self._tree.stat(self.path)
        if found is None:
            return None
        if found.is_directory:
            self._require_private()
        return self._tree.subtree(self.path)

    def create(self) -> Root:
        """Return the directory as a tree of its own, created with mode 0700 if it does not exist."""
        if self._tree.stat(self.path) is None:
            self._require_private()
            self._tree.make_directories(self.path, _PRIVATE)
        opened = self.open()
        if opened is None:
            raise AccessError("this directory was removed", path=self.shown)
        opened.make_directories(CHECKPOINTS, _PRIVATE)
        return opened

    def _require_private(self) -> None:
        """Raise `AccessError` unless only root can change what is at the path."""
        real = self._tree.real_path(self.path)
        for path in dict.fromkeys((*parents(self.path), *parents(real), self.path, real)):
            found = self._tree.stat(path)
            if found is not None and not _is_private(found, own=path in {self.path, real}):
                raise self._open_to_others(path)

    def _open_to_others(self, path: str) -> AccessError:
        shown = self._tree.shown(path)
        word = shell_word(shown)
        return AccessError(
            "this directory is writable by other users, so its checkpoints cannot be trusted",
            path=shown,
            hint=f"if its content is yours: chown root {word} && chmod go-w {word}\n"
            "otherwise, choose a different state directory with --state-dir",
        )


def _is_private(found: FileStat, *, own: bool) -> bool:
    """Whether only root, or the user who runs secboot, can change the content of a directory.

    For a directory above the own one the sticky bit suffices: only an owner can rename there (unlink(2)).
    """
    if found.uid not in {0, os.geteuid()}:
        return False
    return not found.mode & 0o022 or (not own and bool(found.mode & 0o1000))
