"""Files that a command writes for its user: a saved plan, a parmfile, an HTML page."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from secboot.cli.printing import file_error
from secboot.errors import SecbootError

_SPECIAL = ("/dev", "/proc/")
"""Files directly in the first directory, or anywhere below the second, stand for something that is
open already, and are written in place. /dev/shm is a directory like any other."""


class OutputFile:
    """A file that is replaced as a whole or not at all; a context manager.

    `prepare` does all that can fail, in a temporary file next to it, and `commit` moves that into
    place: a command can prepare the file before it changes a machine. What is not committed is
    removed at the end. A symbolic link is kept: its target is replaced. `what` names the content in
    errors, `mode` is that of a new file; with `keeps`, an existing file keeps its mode and owner.
    """

    def __init__(self, path: Path, what: str, mode: int, *, keeps: bool = False) -> None:
        self.path = path
        self._what = what
        self._mode = mode
        self._keeps = keeps
        self._content: bytes | None = None
        self._prepared: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._prepared is not None:
            # It may not exist; that it could not be made has been reported.
            with suppress(OSError):
                self._prepared.unlink()

    def read(self, limit: int) -> bytes | None:
        """Return the current content, at most `limit` bytes; None if the file does not exist."""
        try:
            if not self.path.exists():
                return None
            with self.path.open("rb") as stream:
                return stream.read(limit)
        except OSError as error:
            raise self._failed("read", error) from error

    def prepare(self, content: bytes) -> None:
        """Write the content to the temporary file. Raises RefusedError."""
        try:
            target = self._target()
            if target is None:
                # A device or a pipe: all that can be checked in advance is whether it opens.
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
            else:
                self._write_temporary(target, content)
            self._content = content
        except OSError as error:
            raise self._failed("written", error) from error

    def commit(self, content: bytes) -> None:
        """Put the content in place, prepared or not. Raises RefusedError."""
        if content != self._content:
            self.prepare(content)
        try:
            target = self._target()
            if target is None:
                self.path.write_bytes(content)
            elif self._prepared is not None:
                self._prepared.replace(target)
                self._prepared = None
        except OSError as error:
            raise self._failed("written", error) from error

    def _target(self) -> Path | None:
        """The regular file to replace or create; None for one that is written in place."""
        device, process = _SPECIAL
        place = os.path.realpath(self.path.parent)
        if place == device or f"{place}/".startswith(process):
            return None
        target = Path(os.path.realpath(self.path))
        if not target.exists():
            return target
        if target.is_dir():
            raise IsADirectoryError(None, "this is a directory")
        return target if target.is_file() else None

    def _write_temporary(self, target: Path, content: bytes) -> None:
        self.__exit__()
        old = target.stat() if self._keeps and target.exists() else None
        self._prepared = target.with_name(f".secboot-{os.urandom(8).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(self._prepared, flags, 0o600), "wb") as stream:  # noqa: PTH123 - a descriptor
            if old is not None:
                os.fchown(stream.fileno(), old.st_uid, old.st_gid)
            os.fchmod(stream.fileno(), self._mode if old is None else stat.S_IMODE(old.st_mode))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    def _failed(self, done: str, error: OSError) -> SecbootError:
        return file_error(self.path, f"{self._what} cannot be {done}: {error.strerror}")
