"""Other releases of Debian for the tests: Python, Typer, ruamel.yaml, kernel-install, run-parts.

They are unpacked, not installed.
"""

from __future__ import annotations

import hashlib
import shlex
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

KERNEL_HOOKS = (
    *("systemd", "libsystemd-shared", "debianutils", "linux-base"),
    *("libacl1", "libaudit1", "libblkid1", "libcap-ng0", "libcap2", "libcrypt1", "libmount1"),
    *("libpam0g", "libpcre2-8-0", "libseccomp2", "libselinux1"),
)
"""What kernel-install and run-parts need, and the hooks that linux-base has."""


class Release(NamedTuple):
    """A release: its suites, of which the first that can be read is taken, and its Python."""

    suites: tuple[str, ...]
    python: str

    @property
    def packages(self) -> tuple[str, ...]:
        """All that is unpacked."""
        minimal = f"python{self.python}-minimal"
        return (minimal, f"lib{minimal}", f"libpython{self.python}-stdlib", *COMMON, *KERNEL_HOOKS)

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
        return self.program(f"python{self.python}")

    def program(self, name: str) -> list[str] | None:
        """The command that starts a program of /usr/bin with its own libraries; None if it does not exist."""
        loader = next(self.tree.glob("usr/lib/*/ld-linux-*.so.*"), None)
        file = self.tree / "usr/bin" / name
        if loader is None or not file.exists():
            return None
        libraries = f"{loader.parent}:{loader.parent}/systemd"
        return [str(each) for each in (loader, "--library-path", libraries, file)]

    def environment(self) -> dict[str, str]:
        """What it needs in its environment."""
        return {"PYTHONHOME": str(self.tree / "usr")}

    def write_starter(self, directory: Path) -> Path | None:
        """Write a program that is this Python under its usual name; None if it does not exist."""
        command = self.command()
        if command is None:
            return None
        program = directory / f"python{self.python}"
        start = shlex.join(
            [*(f"{name}={value}" for name, value in self.environment().items()), *command]
        )
        # It may be a link to a real Python, which must not be written to.
        program.unlink(missing_ok=True)
        # Isolated, it would ignore PYTHONHOME.
        program.write_text(
            f'#!/bin/sh\n[ "$1" != -IS ] || {{ shift; set -- -S "$@"; }}\nexec env {start} "$@"\n'
        )
        program.chmod(0o755)
        return program

    def install(self) -> bool:
        """Unpack what is missing; return whether there was anything to do. Raises apt.AptError."""
        with locked_cache("packages") as cache:
            if self.tree.is_dir():
                return False
            files = apt.from_first(
                self.suites,
                apt.native_architecture(),
                cache,
                lambda suite: suite.fetch(self.packages, attempts=2),
            )
            with apt.replaced(self.tree) as work:
                for file in files.values():
                    apt.unpack(file, work)
        return True


DEBIAN_13 = Release(("trixie",), "3.13")
SID = Release(("sid", "testing"), "3.14")
