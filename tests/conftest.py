"""What holds for all tests: what they share, and plugins that the summary's process needs, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.packaging.programs import build_deb, build_pyz
from tests.workshop import Workshop

pytest_plugins = ["tests.s390x.reporting"]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The place that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    # pytest-xdist gives each worker a directory in the one of the run.
    return Workshop(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(scope="session")
def pyz(workshop: Workshop) -> Path:
    """The one file, built by the Python that runs the tests."""
    built = workshop.directory("pyz", lambda directory: build_pyz(directory / "secboot.pyz"))
    return built / "secboot.pyz"


@pytest.fixture(scope="session")
def deb(workshop: Workshop) -> Path:
    """The Debian package, built by the Python that runs the tests."""
    (package,) = workshop.directory("deb", build_deb).iterdir()
    return package
