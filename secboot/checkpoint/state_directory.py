"""The directory that holds the lock and the checkpoints: ``/var/lib/secboot`` in the root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secboot.system.file_errors import AccessError
from secboot.system.root import Root

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PATH = "/var/lib/secboot"
CHECKPOINTS = "/checkpoints"
_PRIVATE = 0o700


class StateDirectory:
    """Where secboot keeps what it must remember about a root.

    Inside the root by default; `host_directory` moves it to a directory of this machine, so that
    an image carries no backups. Checkpoints hold commands to put files back with their owner and
    mode, so a directory that anybody else may write is refused.
    """

    def __init__(self, root: Root, host_directory: Path | None = None) -> None:
        self._own_tree: Root | None = None
        if host_directory is None:
            self._tree, self.path = root, DEFAULT_PATH
        else:
            self._tree = self._own_tree = Root(type(host_directory)("/"))
            self.path = os.path.abspath(host_directory)  # noqa: PTH100 - `..` is resolved by Root

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
        if found.is_directory and (found.mode & 0o022 or found.uid not in {0, os.geteuid()}):
            raise AccessError(
                "others may write to this directory, so its checkpoints can't be trusted",
                path=self.shown,
                hint="if its content is yours: chown root and chmod 700; otherwise remove it, "
                "or choose another with --state-dir",
            )
        return self._tree.subtree(self.path)

    def create(self) -> Root:
        """The directory as a tree of its own, made (mode 0700) if there is none yet."""
        self._tree.make_directories(self.path, _PRIVATE)
        opened = self.open()
        if opened is None:
            raise AccessError("this directory can't be kept", path=self.shown)
        opened.make_directories(CHECKPOINTS, _PRIVATE)
        return opened
