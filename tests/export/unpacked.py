"""Newer versions of tools than this system has: Debian packages that `setup` unpacks.

They are Python only, and what reads a configuration needs none of the programs that their packages
depend on. So nothing is installed, and several versions can be asked.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.s390x.cache import cache_directory
from tests.s390x.testbed import unavailable

PYTHON = "usr/lib/python3/dist-packages"
"""Where the modules are, below a package's directory."""


def versions(package: str) -> dict[str, Path]:
    """Every version that is there, and the directory of its Python modules."""
    found = cache_directory().glob(f"{package}-[0-9]*")
    return {path.name.removeprefix(f"{package}-"): path / PYTHON for path in found}


def require(package: str, version: str) -> Path:
    """The modules of this version; without it the running test is skipped, in CI failed."""
    found = versions(package).get(version)
    if found is None:
        unavailable(f"{package} {version} is not there; run tests/export/setup")
    return found


def require_newer(package: str, than: str) -> tuple[str, Path]:
    """The newest version and its modules, which has to be newer than another one."""
    newest = max(versions(package), key=_order, default=than)
    if _order(newest) <= _order(than):
        unavailable(f"no {package} newer than {than} is there; run tests/export/setup")
    return newest, versions(package)[newest]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
