"""Commands, what each run of them costs, and medians over interleaved rounds."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.trees import reset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Command:
    """One command line; `tree` is made the same as `template` before each run, if given."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0,)
    tree: Path | None = None
    template: Path | None = None

    def cost(self) -> Cost:
        """Run it once."""
        if self.tree is not None and self.template is not None:
            reset(self.tree, self.template)
        return run(self.argv, {**clean_environment(), **self.environment}, self.statuses)


@dataclass(frozen=True, slots=True)
class Number:
    """A median and, in the same unit, half of the range between the quartiles."""

    median: float
    spread: float


@dataclass(frozen=True, slots=True)
class Series:
    """What one command cost, round by round."""

    name: str
    costs: tuple[Cost, ...]

    @property
    def wall(self) -> Number:
        """Wall time in seconds."""
        return summary([cost.wall for cost in self.costs])

    @property
    def cpu(self) -> Number:
        """CPU time in seconds."""
        return summary([cost.cpu for cost in self.costs])

    @property
    def memory(self) -> float:
        """Peak memory in bytes."""
        return median(cost.memory for cost in self.costs)

    def times(self, other: Series) -> tuple[Number, Number]:
        """Return wall and CPU time as multiples of another's in the same round."""
        pairs = list(zip(self.costs, other.costs, strict=True))
        return (
            summary([mine.wall / its.wall for mine, its in pairs]),
            summary([mine.cpu / its.cpu for mine, its in pairs]),
        )


def measure(commands: Sequence[Command], rounds: int) -> tuple[Series, ...]:
    """Run the commands in turn, after one round that does not count, and return their costs."""
    for command in commands:
        command.cost()
    costs: dict[str, list[Cost]] = {command.name: [] for command in commands}
    for _ in range(rounds):
        for command in commands:
            costs[command.name].append(command.cost())
    return tuple(Series(name, tuple(found)) for name, found in costs.items())


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


def summary(values: Sequence[float]) -> Number:
    """Return the median of at least one value, with its spread (0 for a single one)."""
    if len(values) < 2:
        return Number(values[0], 0.0)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Number(median(values), (high - low) / 2)
