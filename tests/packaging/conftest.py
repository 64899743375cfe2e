"""What is built once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.programs import build_pyz


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file, built by the Python that runs the tests."""
    return build_pyz(tmp_path_factory.mktemp("pyz") / "secboot.pyz")
