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
    """Where secboot keeps what it must remember about a root.

    Inside the root by default; `host_directory` moves it to a directory of this machine, so that
    an image carries no backups. What is read here decides which files are put back, with which
    content, owner and mode. So the directory must belong to root, or to the user who runs secboot,
    and nobody else may write to it, or replace it by writing to a directory above it.
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
        """Whether `path` is one inside the root."""
        return self._own_tree is None

    @property
    def shown(self) -> str:
        """The path of the directory as the user sees it."""
        return self._tree.shown(self.path)

    def close(self) -> None:
        """Let go of what was opened."""
        if self._own_tree is not None:
            self._own_tree.close()

    def open(self) -> Root | None:
        """The directory as a tree of its own, or None when there is none yet. Writes nothing.

        Raises `AccessError` when it can't be read, or can be written by others.
        """
        found = self._tree.stat(self.path)
        if found is None:
            return None
        if found.is_directory:
            self._require_private()
        return self._tree.subtree(self.path)

    def create(self) -> Root:
        """The directory as a tree of its own, made (mode 0700) if there is none yet."""
        if self._tree.stat(self.path) is None:
            self._require_private()
            self._tree.make_directories(self.path, _PRIVATE)
        opened = self.open()
        if opened is None:
            raise AccessError("this directory can't be kept", path=self.shown)
        opened.make_directories(CHECKPOINTS, _PRIVATE)
        return opened

    def _require_private(self) -> None:
        """Raise `AccessError` unless root alone can change what stands under the path."""
        real = self._tree.real_path(self.path)
        for path in dict.fromkeys((*parents(self.path), *parents(real), self.path, real)):
            found = self._tree.stat(path)
            if found is not None and not _is_private(found, own=path in {self.path, real}):
                raise self._open_to_others(path)

    def _open_to_others(self, path: str) -> AccessError:
        shown = self._tree.shown(path)
        word = shell_word(shown)
        return AccessError(
            "others may write to this directory, so the checkpoints in it can't be trusted",
            path=shown,
            hint=f"if its content is yours: chown root {word} && chmod go-w {word}\n"
            "otherwise choose another state directory with --state-dir",
        )


def _is_private(found: FileStat, *, own: bool) -> bool:
    """Whether root, or the user who runs secboot, alone may change what a directory holds.

    In one above the own directory the sticky bit does: there only an owner renames (unlink(2)).
    """
    if found.uid not in {0, os.geteuid()}:
        return False
    return not found.mode & 0o022 or (not own and bool(found.mode & 0o1000))
