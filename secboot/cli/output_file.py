"""Files that a command writes for its user: a saved plan, a parmfile, a page."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Self

from secboot.cli.printing import file_error
from secboot.errors import SecbootError

_SPECIAL = ("/dev", "/proc/")
"""What is directly in the first, or anywhere below the second, leads to what is open already, and is
written to as it is. /dev/shm is a directory like any other."""


class OutputFile:
    """A file that gets its content at once, or stays as it was; a context.

    `prepare` does all that can fail, into a file beside it, and `commit` puts that in its place: a
    command can prepare before it changes a machine. What was not committed is removed in the end.
    A link stays one: what it leads to is replaced. `what` names the content in errors, `mode` is
    that of the file; with `keeps`, a file that exists keeps its mode and owner.
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
            self._prepared.unlink(missing_ok=True)

    def read(self, limit: int) -> bytes | None:
        """Return what the file holds now, at most `limit` bytes; None where it does not exist."""
        try:
            if not self.path.exists():
                return None
            with self.path.open("rb") as stream:
                return stream.read(limit)
        except OSError as error:
            raise self._failed("read", error) from error

    def prepare(self, content: bytes) -> None:
        """Make the file ready to take its place. Raises RefusedError."""
        try:
            target = self._target()
            if target is None:
                # A device or a pipe: that it can be opened is all that can be known before.
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
            else:
                self._write_beside(target, content)
            self._content = content
        except OSError as error:
            raise self._failed("written", error) from error

    def commit(self, content: bytes) -> None:
        """Put the content in its place, prepared or not. Raises RefusedError."""
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
        """The regular file to replace or to make; None for what is written to as it is."""
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

    def _write_beside(self, target: Path, content: bytes) -> None:
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
        return file_error(self.path, f"{self._what} can't be {done}: {error.strerror}")
