"""Run a program once, and tell what it cost."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import StrOrBytesPath


class BenchmarkError(Exception):
    """A measurement is not possible here, or means nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: wall and CPU time (user and system) in seconds, peak memory in bytes.

    Peak memory is the largest resident set of the program or of one that it waited for.
    """

    wall: float
    cpu: float
    memory: int


def run(
    argv: tuple[str, ...], environment: Mapping[str, str], statuses: Sequence[int] = (0,)
) -> Cost:
    """Run a program without input, its output thrown away, and return what it cost.

    Processes that it started and waited for count too. Raises BenchmarkError when it ends with
    another status than one of `statuses`: a program that failed has not done what is measured.
    """
    nowhere: list[tuple[int, int, StrOrBytesPath, int, int]] = [
        (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)
    ]
    start = time.perf_counter()
    child = os.posix_spawn(argv[0], argv, environment, file_actions=nowhere)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in statuses:
        raise BenchmarkError(f"ended with status {code}: {' '.join(argv)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def clean_environment() -> dict[str, str]:
    """Return the environment without what changes how Python or a shell starts."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SECBOOT", "BASH_ENV"))
    } | {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
