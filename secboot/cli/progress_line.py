"""The progress line on a terminal, rewritten in place and erased when done.

A thread writes it, because a single call can take long and report nothing meanwhile: a program that
runs, or zipl's model reading ten thousand entries. The line must never disturb the work: it does not
wait for a terminal that is stopped (Ctrl-S), and ignores one that is gone.

Only a command whose standard error is a terminal imports this module.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from secboot.named_tuple import NamedTuple
from secboot.progress import Phase, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELAY = 1.0
"""Seconds before the line appears: shorter work needs no progress line."""
INTERVAL = 0.1
"""Seconds between two updates."""

_ERASE = "\r\x1b[K"
"""Go to the first column and erase to the end of the line (EL of ECMA-48)."""
_COLUMNS = 80
_MARGIN = 3
"""Columns that stay free: some terminals wrap in the last one, and ^C takes two."""

_WORDS = {
    Phase.READING: ("reading", "boot entries"),
    Phase.READING_AGAIN: ("rereading", "boot entries"),
    Phase.READING_BACK: ("reading back", "boot entries"),
    Phase.INTERPRETING: ("interpreting", "boot entries"),
    Phase.PLANNING: ("preparing", "plan"),
    Phase.ASSESSING: ("assessing", "boot entries"),
    Phase.COPYING: ("copying", "boot entries for zipl to check"),
    Phase.SAVING: ("saving", "current files"),
    Phase.WRITING: ("writing", "files"),
    Phase.REPLACING: ("replacing", "files"),
    Phase.RESTORING: ("restoring", "old files"),
    Phase.TIDYING: ("removing", "temporary files"),
}


class Surface(Protocol):
    """Where the line is written."""

    @property
    def columns(self) -> int:
        """Its width."""
        ...

    def write(self, text: str, *, must: bool = False) -> bool:
        """Write text unless the terminal is busy, and return whether it was written.

        With `must`, wait for the terminal.
        """
        ...


class Screen:
    """The terminal of an open file."""

    def __init__(self, file: int) -> None:
        self._file = file

    @property
    def columns(self) -> int:
        """Its width; 80 if that is unknown."""
        try:
            return os.get_terminal_size(self._file).columns or _COLUMNS
        except OSError:
            return _COLUMNS

    def write(self, text: str, *, must: bool = False) -> bool:
        """See `Surface.write`: nothing is written in the background, or to a stopped terminal."""
        try:
            if not self._in_foreground() or not (must or self._is_ready()):
                return False
            os.write(self._file, text.encode("ascii", "backslashreplace"))
        except OSError:
            # The terminal is gone. The work goes on.
            return False
        return True

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._file) == os.getpgrp()
        except OSError:
            # It is not the controlling terminal of this process.
            return True

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        return bool(poll.poll(0))


def progress_text(phase: Phase, done: int, total: int, program: str, seconds: int) -> str:
    """Return one clause, such as "writing 3,120 of 10,000 files" or "running zipl, 7 s".

    `seconds` is how long the phase has taken; it is shown for phases without a count.
    """
    if phase is Phase.RUNNING:
        words = f"running {program}"
    else:
        verb, what = _WORDS[phase]
        if total:
            return f"{verb} {done:,} of {total:,} {what}"
        words = f"{verb} the {what}"
    return f"{words}, {seconds} s" if seconds else words


class _Doing(NamedTuple):
    """The current step; `since` is the clock when it began."""

    phase: Phase
    done: int
    total: int
    program: str
    since: float


class ProgressLine(Progress):
    """`Progress` on a terminal; a context manager that keeps the line up to date."""

    def __init__(self, surface: Surface, clock: Callable[[], float] = time.monotonic) -> None:
        self._surface = surface
        self._clock = clock
        self._begun = clock()
        self._doing: _Doing | None = None
        self._shown = ""
        # A signal handler may print while the main thread prints: it must not deadlock.
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="progress", daemon=True)

    def report(self, phase: Phase, done: int = 0, total: int = 0, *, program: str = "") -> None:
        """See `Progress.report`."""
        last = self._doing
        same = last is not None and last.phase is phase and last.program == program
        since = last.since if last is not None and same else self._clock()
        self._doing = _Doing(phase, done, total, program, since)

    def update(self) -> None:
        """Write the line if it is due and has changed."""
        with self._lock:
            now, doing = self._clock(), self._doing
            if doing is None or now - self._begun < DELAY:
                return
            phase, done, total, program, since = doing
            text = progress_text(phase, done, total, program, int(now - since))
            line = f"secboot: {text}"[: max(self._surface.columns - _MARGIN, 0)]
            if line != self._shown and self._surface.write(f"\r{line}\x1b[K"):
                self._shown = line

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """See `Progress.hidden`."""
        with self._lock:
            if self._shown:
                self._surface.write(_ERASE, must=True)
                self._shown = ""
            yield

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        try:
            self._thread.join()
        finally:
            with self.hidden():
                pass

    def _keep(self) -> None:
        # Signals must go to the main thread: one that arrives here would not wake it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        wait = DELAY
        while not self._ended.wait(wait):
            self.update()
            wait = INTERVAL
