"""Things that take long to build and that every process of a test run needs."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


class Workshop:
    """Directories whose content takes long to build: built once for all processes of a run."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def directory(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the directory of this name; ``make`` has filled it, here or in another process."""
        directory, finished = self._base / name, self._base / f"{name}.finished"
        with (self._base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                make(directory)
                finished.touch()
        return directory
