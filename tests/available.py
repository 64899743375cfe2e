"""What a test needs of the machine that it runs on: there, or a reason to skip the test.

With ``CI=true`` what `dev` installs, and root's rights, have to be there: such a skip is a failure.
What only the environment decides (a kernel, a file system, other Pythons) is skipped there, too.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Tell whether this run must not skip what could be there."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def unavailable(reason: str) -> NoReturn:
    """Skip the running test with this reason; fail it in CI."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def not_here(reason: str) -> NoReturn:
    """Skip the running test, in CI too: no set-up could change what the environment lacks."""
    pytest.skip(reason)


def require_root() -> None:
    """Root's rights, which CI has."""
    if os.geteuid() != 0:
        unavailable("needs root")
