"""The line that sums up the s390x tests at the end of a run, as a plugin of pytest.

`tests/conftest.py` loads it. With pytest-xdist tests run in worker processes, and the process that
prints the summary collects nothing: it reads only the conftest.py files of the directories on its
command line and of ``testpaths``, so a hook in this directory's own would not be called there when
the whole suite runs. The workers' counts arrive in the reports' user properties.
"""

from collections import Counter
from collections.abc import Generator

import pytest

from tests.s390x.tally import COUNTS, sentence

_PROPERTY = "s390x "


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Move the test's counts so far into its report."""
    item.user_properties += [(_PROPERTY + name, count) for name, count in COUNTS.items()]
    COUNTS.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sum over all tests, if anything was counted."""
    total: Counter[str] = Counter()
    for report in terminalreporter.getreports(""):
        # A teardown's report carries the properties of the whole test.
        if isinstance(report, pytest.TestReport) and report.when == "teardown":
            for name, count in report.user_properties:
                if name.startswith(_PROPERTY) and isinstance(count, int):
                    total[name.removeprefix(_PROPERTY)] += count
    if text := sentence(total):
        terminalreporter.write_line(f"s390x: {text}")
