"""The search for one target: inputs that reach something new are kept and mutated.

A find is an unexpected error, a run that does not end, or time that grows faster than the input.
Finds are distinguished by their location, and minimized.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from traceback import extract_tb
from types import FrameType
from typing import NamedTuple

from secboot.digest import digest
from secboot.errors import SecbootError
from tests.fuzz.commands import FoundError
from tests.fuzz.mutation import Growth, Mutator, growth
from tests.fuzz.probes import Probes
from tests.fuzz.targets import Target

HANGS_AFTER = 20.0
"""Seconds of processor time in one run."""
FASTER_THAN_LINEAR = 7.0
"""How many times as long four times the input may take; 4 is linear, 16 is quadratic."""
_TOO_SHORT_TO_TELL = 0.08
_SHARE_OF_GROWTH = 0.2
_MINIMISING = 10.0
"""Seconds for minimizing a find."""
_LARGEST_INPUT = 2**14
_HERE = Path(__file__).parents[2]


class Find(NamedTuple):
    """What was found; `place` identifies it, and `data` is the input that shows it."""

    target: str
    place: str
    what: str
    data: bytes

    @property
    def name(self) -> str:
        """The file name for the input."""
        return self.name_of(self.data)

    @staticmethod
    def name_of(data: bytes) -> str:
        """The file name for any input."""
        return digest(data)[:16]


class _HangError(BaseException):
    """A run takes too long. No `except Exception` stops it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End a run that takes more processor time than this."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _HangError

    old = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def attempt(target: Target, data: bytes) -> tuple[str, str] | None:
    """Run a target once; return where and how it failed, or None."""
    try:
        with limited(HANGS_AFTER):
            target.read(data)
    except SecbootError:
        return None
    except FoundError as error:
        return error.place, str(error)
    except _HangError as error:
        return f"hangs {_place(error)}", f"more than {HANGS_AFTER:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are after
        return f"{type(error).__name__} {_place(error)}", f"{type(error).__name__}: {error}"[:300]
    return None


def _place(error: BaseException) -> str:
    """The innermost lines of secboot."""
    frames = [frame for frame in extract_tb(error.__traceback__) if str(_HERE) in frame.filename]
    own = [frame for frame in frames if "/site-packages/" not in frame.filename]
    others = [frame for frame in own if frame.filename != __file__]
    if not others:
        return "?"
    return f"{Path(others[-1].filename).relative_to(_HERE)}:{others[-1].lineno}"


class Campaign:
    """The search for one target, which can be resumed any number of times."""

    def __init__(self, name: str, target: Target, probes: Probes, chance: Random) -> None:
        self.name = name
        self.executions = 0
        self.grown = 0
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.seen = 0
        self.inputs: list[bytes] = []
        self.finds: dict[str, Find] = {}
        self._target = target
        self._probes = probes
        self._chance = chance
        self._growing = 0.0
        samples = target.samples()
        for data in samples:
            self.tried(data, keep=True)
        largest = max(_LARGEST_INPUT, *(2 * len(data) for data in samples))
        self._mutator = Mutator(chance, probes.words_of(self.seen), largest)

    @property
    def lines(self) -> set[tuple[str, int]]:
        """The lines of secboot that its runs reached."""
        return self._probes.lines_of(self.seen)

    def run(self, seconds: float) -> None:
        """Search for this long, in wall-clock time."""
        begun, processor = time.monotonic(), time.process_time()
        while (now := time.monotonic()) < begun + seconds:
            if self._target.largest and self._growing < _SHARE_OF_GROWTH * (
                self.seconds + now - begun
            ):
                self._grow()
                self._growing += time.monotonic() - now
            else:
                self.tried(self._mutator.mutated(self._parent(), self.inputs))
        self.seconds += time.monotonic() - begun
        self.processor_seconds += time.process_time() - processor

    def _parent(self) -> bytes:
        """An input: the shorter of two, and often one of the latest new ones."""
        recent = self.inputs[-20:] if self._chance.random() < 0.3 else self.inputs
        return min(self._chance.choice(recent), self._chance.choice(self.inputs), key=len)

    def tried(self, data: bytes, *, keep: bool = False) -> None:
        """Run an input, and keep it if it reaches something new, or if told to."""
        self._probes.reset()
        found = attempt(self._target, data)
        self.executions += 1
        if found is not None:
            self._note(*found, data)
        reached = self._probes.reached()
        if reached & ~self.seen or (keep and data not in self.inputs):
            self.seen |= reached
            self.inputs.append(data)

    def _note(self, place: str, what: str, data: bytes) -> None:
        if place in self.finds:
            return
        small = minimised(data, lambda other: (attempt(self._target, other) or ("",))[0] == place)
        self.finds[place] = Find(self.name, place, what, small)

    def _grow(self) -> None:
        """Let one input grow, and check whether its time grows faster."""
        grown = growth(self._mutator, self._parent())
        self.grown += 1
        size = self._target.largest
        large = self._time(grown.of_size(size))
        if large is None or large < _TOO_SHORT_TO_TELL or not self._is_slow(grown, large):
            return
        data = grown.of_size(size)
        what = f"{self._time(data) or 0:.2f} s for {len(data)} bytes: {_words(grown)}"
        self.finds.setdefault(
            f"slow {self._hot(data)}", Find(self.name, f"slow {self._hot(data)}", what, data)
        )

    def _is_slow(self, grown: Growth, large: float) -> bool:
        size = self._target.largest
        for _ in range(3):  # other processes use this machine as well
            small = self._time(grown.of_size(size // 4))
            large = min(large, self._time(grown.of_size(size)) or 0)
            if small is None or not (
                large > FASTER_THAN_LINEAR * small or large > self._target.longest
            ):
                return False
        return True

    def _time(self, data: bytes) -> float | None:
        """Seconds of processor time; None if the run failed, which is a separate find.

        Without Python's garbage collector: its time grows by steps.
        """
        gc.collect()
        gc.disable()
        try:
            begun = time.process_time()
            found = attempt(self._target, data)
            taken = time.process_time() - begun
        finally:
            gc.enable()
        if found is not None:
            self._note(*found, data)
            return None
        return taken

    def _hot(self, data: bytes) -> str:
        """The line where most of the time is spent."""
        places: list[str] = []

        def look(_number: int, frame: FrameType | None) -> None:
            while frame is not None and "/secboot/" not in frame.f_code.co_filename:
                frame = frame.f_back
            if frame is not None:
                code = frame.f_code
                places.append(f"{Path(code.co_filename).relative_to(_HERE)} {code.co_name}")

        old = signal.signal(signal.SIGPROF, look)
        signal.setitimer(signal.ITIMER_PROF, 0.005, 0.005)
        try:
            self._target.read(data)
        except SecbootError:
            pass
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, old)
        return max(set(places), key=places.count) if places else "?"


def minimised(data: bytes, shows: Callable[[bytes], bool]) -> bytes:
    """A short input that shows the same: ever shorter parts are left out."""
    end = time.monotonic() + _MINIMISING
    size = max(1, len(data) // 2)
    while size and time.monotonic() < end:
        start = 0
        while start < len(data) and time.monotonic() < end:
            shorter = data[:start] + data[start + size :]
            if shows(shorter):
                data = shorter
            else:
                start += size
        size //= 2
    return data


def _words(grown: Growth) -> str:
    numbered = " numbered" if grown.numbered else ""
    return f"{grown.before[-30:]!r} + {grown.part!r} many times{numbered} + {grown.after[:30]!r}"
