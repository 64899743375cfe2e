"""Print the number of fault cases at the end of a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULT_CASES = "fault cases"


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in memory if possible: thousands of fsyncs on a disk take minutes."""
    place = tmp_path_factory.mktemp("memory")
    shared = Path("/dev/shm")
    if not shared.is_dir():
        yield place
        return
    place = shared / f"secboot-{place.parent.parent.name}-{place.parent.name}-{place.name}"
    place.mkdir()
    yield place
    shutil.rmtree(place, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    sizes = [
        (report.nodeid.partition("::")[2], value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == FAULT_CASES
    ]
    if sizes:
        terminalreporter.section(f"fault matrix: {sum(int(size) for _, size in sizes)} cases")
        for name, size in sizes:
            terminalreporter.write_line(f"{size:>6} {name}")
