"""What is built once for all tests of a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT, run


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file, built by the Python that runs the tests."""
    target = tmp_path_factory.mktemp("pyz") / "secboot.pyz"
    built = run(sys.executable, CHECKOUT / "packaging/build_pyz.py", target)
    assert built.returncode == 0, built.stderr
    return target
