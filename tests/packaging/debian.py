"""Other releases of Debian for the tests: their Python, Typer and ruamel.yaml, unpacked, not installed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from tests.s390x import apt
from tests.s390x.cache import cache_directory, locked_cache

COMMON = (
    *("libc6", "libssl3t64", "zlib1g", "libexpat1", "libffi8", "liblzma5", "libbz2-1.0"),
    *("libuuid1", "libzstd1"),
    *("python3-typer", "python3-click", "python3-shellingham", "python3-typing-extensions"),
    *("python3-rich", "python3-pygments", "python3-markdown-it", "python3-mdurl"),
    *("python3-ruamel.yaml", "python3-defusedxml"),
)
"""What a Python and secboot need of the distribution."""


class Release(NamedTuple):
    """A release: its suites, of which the first that can be read is taken, and its Python."""

    suites: tuple[str, ...]
    python: str

    @property
    def packages(self) -> tuple[str, ...]:
        """All that is unpacked."""
        minimal = f"python{self.python}-minimal"
        return (minimal, f"lib{minimal}", f"libpython{self.python}-stdlib", *COMMON)

    @property
    def tree(self) -> Path:
        """The unpacked packages, there or not."""
        recipe = " ".join((*self.suites, *self.packages))
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
        return cache_directory() / f"python{self.python}-{digest}"

    @property
    def libraries(self) -> Path:
        """Where Debian's packages put modules."""
        return self.tree / "usr/lib/python3/dist-packages"

    def command(self) -> list[str] | None:
        """The command that starts this Python with its own C library; None if it does not exist.

        It needs PYTHONHOME.
        """
        loader = next(self.tree.glob("usr/lib/*/ld-linux-*.so.*"), None)
        if loader is None:
            return None
        python = self.tree / f"usr/bin/python{self.python}"
        return [str(each) for each in (loader, "--library-path", loader.parent, python)]

    def environment(self) -> dict[str, str]:
        """What it needs in its environment."""
        return {"PYTHONHOME": str(self.tree / "usr")}

    def install(self) -> bool:
        """Unpack what is missing; return whether there was anything to do. Raises apt.AptError."""
        with locked_cache() as cache:
            if self.tree.is_dir():
                return False
            files = self._fetch(cache)
            with apt.replaced(self.tree) as work:
                for file in files.values():
                    apt.unpack(file, work)
        return True

    def _fetch(self, cache: Path) -> dict[str, Path]:
        reasons = []
        for name in self.suites:
            try:
                suite = apt.Suite(name, apt.native_architecture(), cache)
                return suite.fetch(self.packages, attempts=2)
            except apt.AptError as error:
                reasons.append(str(error))
        raise apt.AptError("; ".join(reasons))


DEBIAN_13 = Release(("trixie",), "3.13")
SID = Release(("sid", "testing"), "3.14")
