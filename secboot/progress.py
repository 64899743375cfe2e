"""What a command that takes long is doing: reported by those who do it, shown by whoever wants to.

The layers with effects are given a `Progress` and know nothing of terminals. A report is cheap
enough to be made for each file.
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
    """The boot files are read."""
    READING_AGAIN = auto()
    """They are read under the lock, when nobody else changes them any more."""
    READING_BACK = auto()
    """They are read after the change, to make sure of it."""
    INTERPRETING = auto()
    """It is worked out what zipl makes of them."""
    PLANNING = auto()
    ASSESSING = auto()
    """The stages of all entries are judged."""
    COPYING = auto()
    """Candidates are written for zipl to check."""
    SAVING = auto()
    """Old contents go to a checkpoint."""
    WRITING = auto()
    """New files are written next to the old ones."""
    REPLACING = auto()
    """New files take the place of the old ones."""
    RESTORING = auto()
    """Old files are restored after a failure."""
    TIDYING = auto()
    """Temporary files are removed."""
    RUNNING = auto()
    """Another program is run."""


class Progress:
    """Receives how far the work has come; this one ignores it."""

    def report(self, phase: Phase, done: int = 0, total: int = 0, *, program: str = "") -> None:
        """Take note that `done` of `total` files have gone through `phase`.

        A `total` of 0 means a phase without a count. `program` is which one is `RUNNING`.
        """

    def hidden(self) -> AbstractContextManager[object]:
        """Make way for other output for as long as the context lasts."""
        return nullcontext()


UNWATCHED = Progress()
"""The default of all who report."""
