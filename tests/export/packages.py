"""Newer versions of tools than this system has: Debian packages that `setup` unpacks.

They are pure Python, and reading a configuration needs none of the programs that their packages
depend on. So nothing is installed, and several versions can be tested.
"""

from __future__ import annotations

from pathlib import Path

from tests.s390x.cache import cache_directory

PYTHON = "usr/lib/python3/dist-packages"
"""Where the modules are, below a package's directory."""


def versions(package: str) -> dict[str, Path]:
    """Every available version, and the directory of its Python modules."""
    found = cache_directory().glob(f"{package}-[0-9]*")
    return {path.name.removeprefix(f"{package}-"): path / PYTHON for path in found}
