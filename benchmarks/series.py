"""Medians and spreads of interleaved rounds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.process import Cost


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


def summary(values: Sequence[float]) -> Number:
    """Return the median of at least one value, with its spread (0 for a single one)."""
    if len(values) < 2:
        return Number(values[0], 0.0)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Number(median(values), (high - low) / 2)
