"""Other releases of ansible-core than the one in the environment: the oldest and the newest.

packaging/setup puts them into the cache.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.packaging.debian import DEBIAN_13, Release
from tests.s390x import apt
from tests.s390x.cache import cache_directory, locked_cache


class AnsibleCore(NamedTuple):
    """A release, such as 2.16, and the Debian release whose Python runs it; None for this Python."""

    version: str
    debian: Release | None

    @property
    def python(self) -> str:
        """The version of its Python."""
        return (
            self.debian.python
            if self.debian
            else f"{sys.version_info.major}.{sys.version_info.minor}"
        )

    @property
    def modules(self) -> Path:
        """The directory with it and the modules that it needs, there or not."""
        return cache_directory() / f"ansible-core-{self.version}-python{self.python}"

    def command(self, program: str) -> list[str] | None:
        """The command that starts one of its programs; None if it is not installed."""
        file = self.modules / "bin" / program
        python = self.debian.command() if self.debian else [sys.executable]
        return [*python, str(file)] if python and file.exists() else None

    def environment(self) -> dict[str, str]:
        """What it needs in its environment."""
        needed = self.debian.environment() if self.debian else {}
        return {**needed, "PYTHONPATH": str(self.modules)}

    def install(self) -> bool:
        """Install it if it is missing; return whether there was anything to do.

        Raises subprocess.CalledProcessError when pip fails; its output has the reason.
        """
        with locked_cache("packages"):
            if self.modules.is_dir():
                return False
            with apt.replaced(self.modules) as work:
                # pip compares the Python that a package requires with the one that runs pip.
                options = ("--python-version", self.python, "--ignore-requires-python")
                subprocess.run(
                    [
                        *(sys.executable, "-m", "pip", "install", "--quiet"),
                        *("--disable-pip-version-check", "--only-binary", ":all:", *options),
                        *("--target", work, f"ansible-core=={self.version}.*"),
                    ],
                    check=True,
                    capture_output=True,
                )
        return True


RELEASES = (AnsibleCore("2.16", None), AnsibleCore("2.21", DEBIAN_13))
