"""Holding back ^C and termination while a change is under way.

A signal in the middle of a change must not end secboot where it stands: it is noted, the step
under way is brought to its end (zipl above all), and at the next safe point `InterruptError` is
raised, which leads to an orderly undo.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, ClassVar, Self

from secboot.errors import ExitCode, SecbootError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptError(SecbootError):
    """The user or the system asked secboot to stop, and it did so at a safe point."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


class HeldInterrupts:
    """A context in which SIGINT, SIGTERM and SIGHUP are noted instead of acted upon.

    `notice` is called, at most once, with a sentence for the user when one arrives. Signals that
    are ignored (nohup) stay ignored. Outside the main thread, where Python allows no handlers,
    it does nothing.
    """

    def __init__(self, notice: Callable[[str], None] | None = None) -> None:
        self.pending: signal.Signals | None = None
        """The first signal that arrived, if any."""
        self._notice = notice
        self._former: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HELD_BACK:
                former = signal.getsignal(number)
                if former is not signal.SIG_IGN:
                    self._former.append((number, former))
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        while self._former:
            number, former = self._former.pop()
            # None: a handler that was not set from Python and can't be put back by it.
            if callable(former) or isinstance(former, signal.Handlers):
                signal.signal(number, former)

    def safe_point(self) -> None:
        """Raise `InterruptError` if a signal has arrived: the caller can stop here."""
        if self.pending is not None:
            raise InterruptError(f"interrupted ({self.pending.name})")

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.pending is None:
            self.pending = signal.Signals(number)
            if self._notice is not None:
                self._notice(f"{self.pending.name}: stopping at the next safe point")
