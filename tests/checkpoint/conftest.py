"""Says at the end of a run how many fault cases it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

FAULT_CASES = "fault cases"


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
