"""The progress of a long command: reported by the code that does the work, shown by the command line.

The layers with effects get a `Progress` and know nothing about terminals. A report is cheap enough to be
made for each file.
"""

from __future__ import annotations

from contextlib import nullcontext
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Phase(Enum):
    """A part of a command's work that can take long."""

    READING = auto()
    """Reading the boot files."""
    READING_AGAIN = auto()
    """Reading them again under the lock, when no other secboot changes them."""
    READING_BACK = auto()
    """Reading them after the change, to verify it."""
    INTERPRETING = auto()
    """Working out how zipl interprets them."""
    PLANNING = auto()
    ASSESSING = auto()
    """Judging the stages of all entries."""
    COPYING = auto()
    """Writing candidates for zipl to check."""
    SAVING = auto()
    """Saving old contents in a checkpoint."""
    WRITING = auto()
    """Writing new files next to the old ones."""
    REPLACING = auto()
    """Replacing the old files with the new ones."""
    RESTORING = auto()
    """Restoring old files after a failure."""
    TIDYING = auto()
    """Removing temporary files."""
    RUNNING = auto()
    """Running another program."""


class Progress:
    """Receives progress; this one ignores it."""

    def report(self, phase: Phase, done: int = 0, total: int = 0, *, program: str = "") -> None:
        """Report that `done` of `total` files have passed `phase`.

        A `total` of 0 is a phase without a count. `program` is the program that is `RUNNING`.
        """

    def hidden(self) -> AbstractContextManager[object]:
        """Make room for other output as long as the context lasts."""
        return nullcontext()


UNWATCHED = Progress()
"""The default, which shows nothing."""
