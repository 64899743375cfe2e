"""What the verbs know of the line that shows progress: that it may have to make way."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from secboot.progress import Progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Display(Progress):
    """`Progress` that may have a line on the terminal; this one has none."""

    def hidden(self) -> AbstractContextManager[object]:
        """Take the line away for as long as the context lasts, to print something else."""
        return nullcontext()


NO_DISPLAY = Display()
