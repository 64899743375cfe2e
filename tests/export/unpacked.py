"""The unpacked packages for tests, or a reason to skip."""

from __future__ import annotations

import re
from pathlib import Path

from tests.available import unavailable
from tests.export.packages import versions


def require(package: str, version: str) -> Path:
    """The modules of this version; without it the running test is skipped, in CI failed."""
    found = versions(package).get(version)
    if found is None:
        unavailable(f"{package} {version} was not found; run tests/export/setup")
    return found


def require_newer(package: str, than: str) -> tuple[str, Path]:
    """The newest version, which must be newer than a given one, and its modules."""
    newest = max(versions(package), key=_order, default=than)
    if _order(newest) <= _order(than):
        unavailable(f"no {package} newer than {than} is there; run tests/export/setup")
    return newest, versions(package)[newest]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
