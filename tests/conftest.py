"""Shared by all tests: fixtures, and plugins that the process with the summary also needs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.available import require_root
from tests.packaging.programs import build_deb, build_pyz, build_release, publish
from tests.workshop import Workshop

pytest_plugins = ["tests.s390x.reporting"]

# How long an example takes says more about the machine than about secboot.
settings.register_profile("secboot", deadline=None)
settings.load_profile("secboot")


def pytest_configure() -> None:
    """Let secboot run as its users run it.

    Undo what is inherited from nohup, which ignores SIGHUP, from ``&``, which ignores SIGINT, and from
    images for containers, in which Python does not buffer its output.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for all expected output."""
    parser.addoption(
        "--update",
        action="store_true",
        help="write all expected output of secboot again, in place of comparing it",
    )


REPEATING = ("fault", "oracle", "repeating")
"""Markers of tests that run thousands of times what other tests have run once."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--update``, run only the tests that have expected output to write.

    Coverage is not measured in tests that repeat what others cover: it would double their time.
    """
    if config.getoption("--update"):
        items[:] = [item for item in items if "update" in getattr(item, "fixturenames", ())]
    for item in items:
        marked = any(item.get_closest_marker(name) for name in REPEATING)
        if marked or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def update(pytestconfig: pytest.Config) -> bool:
    """Whether expected output is written, not compared."""
    return bool(pytestconfig.getoption("--update"))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The directory that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    # pytest-xdist gives each worker a directory in the one of the run.
    return Workshop(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(scope="session")
def as_root() -> None:
    """Root's rights."""
    require_root()


@pytest.fixture(scope="session")
def pyz(workshop: Workshop) -> Path:
    """The single file, built by the Python that runs the tests."""
    built = workshop.directory("pyz", lambda directory: build_pyz(directory / "secboot.pyz"))
    return built / "secboot.pyz"


@pytest.fixture(scope="session")
def published(workshop: Workshop) -> Path:
    """A copy of the checkout in which secboot has public addresses."""
    return workshop.directory("published", publish) / "secboot"


@pytest.fixture(scope="session")
def release(workshop: Workshop, published: Path) -> Path:
    """A directory with all of a release."""

    def make(directory: Path) -> None:
        build_release(directory / "all", published)

    return workshop.directory("release", make) / "all"


@pytest.fixture(scope="session")
def deb(workshop: Workshop) -> Path:
    """The Debian package, built by the Python that runs the tests."""
    (package,) = workshop.directory("deb", build_deb).iterdir()
    return package
