"""What a test needs from the machine that it runs on: available, or a reason to skip the test.

With ``CI=true``, what `dev` installs and root's rights must be available: such a skip is a failure.
What depends on the environment alone (a kernel, a file system, other Pythons) is skipped in CI, too.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Whether this run must not skip a test that could run."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def unavailable(reason: str) -> NoReturn:
    """Skip the running test with this reason; fail it in CI."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def not_here(reason: str) -> NoReturn:
    """Skip the running test, even in CI: no setup can provide what the environment lacks."""
    pytest.skip(reason)


def require_root() -> None:
    """Root's rights, which CI has."""
    if os.geteuid() != 0:
        unavailable("needs root")
