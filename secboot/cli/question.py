"""``--ask``: a plan is shown, and followed only if the user at the terminal agrees to that very plan.

No lock is held while secboot waits for the answer, so that a kernel can be installed meanwhile. The
plan is made again under the lock; if it differs, it is shown and the question is asked again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Generic, TypeVar

from secboot.checkpoint.access import InterruptError
from secboot.cli.printing import is_quiet, print_text
from secboot.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from secboot.cli.options import Format
    from secboot.cli.site import Site

Planned = TypeVar("Planned")
Result = TypeVar("Result")

_YES = frozenset({b"y", b"yes"})
_LIMIT = 1024
"""Bytes of an answer; a line from a terminal has at most 4096."""


class Question(Generic[Planned]):
    """Asks `words` about a plan that `show` prints; without `wanted` it agrees to every plan.

    Raises UsageError for JSON output and for --quiet, and RefusedError if standard input or output
    is not a terminal.
    """

    def __init__(
        self,
        site: Site,
        words: str,
        show: Callable[[Planned], None],
        *,
        wanted: bool,
        output: Format,
    ) -> None:
        self._site = site
        self._words = words
        self._show = show
        self._wanted = wanted
        self._agreed: list[Planned] = []
        if wanted:
            _require_terminal(output)

    def ask(self, plan: Planned) -> None:
        """Show the plan and wait for the answer, if wanted; anything but yes ends the command."""
        if not self._wanted:
            return
        unchanged = "nothing of this plan was done" if self._agreed else "nothing was changed"
        with self._site.progress.hidden():
            self._show(plan)
            try:
                agreed = _answer(f"\n{self._words} [y/N] ").strip().lower() in _YES
            except KeyboardInterrupt:
                print_text("\n")
                raise InterruptError("interrupted") from None
            if not agreed:
                raise _DeclinedError(unchanged)
        self._agreed.append(plan)

    def require(self, plan: Planned) -> None:
        """Stop before a plan is followed that is not the one the user agreed to."""
        if self._wanted and plan not in self._agreed[-1:]:
            raise _AnotherPlanError

    def answered(self, work: Callable[[], Result]) -> Result | None:
        """Do `work`, which calls `ask` and then `require`; return None if the answer was no."""
        while True:
            try:
                return work()
            except _AnotherPlanError:
                print_text("\nThe machine has changed since. This is the plan now:\n\n")
            except _DeclinedError as error:
                print_text(f"Not confirmed: {error.message}.\n")
                return None


class _AnotherPlanError(Exception):
    """Files were changed between the answer and the lock."""


class _DeclinedError(RefusedError):
    """The answer was no; the message says in which state the machine is."""


def _require_terminal(output: Format) -> None:
    if output != "text":
        raise UsageError(f"--ask and --output {output} cannot be combined")
    if is_quiet():
        raise UsageError("--ask and --quiet cannot be combined")
    for stream, what in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not _is_terminal(stream):
            raise RefusedError(
                f"--ask needs a terminal, but standard {what} is not one",
                hint="to go ahead without a question, use --yes instead",
            )


def _is_terminal(stream: TextIO | None) -> bool:
    # A stream is None when it is closed.
    return stream is not None and stream.isatty()


def _answer(question: str) -> bytes:
    """Return the line typed as the answer; empty at the end of the input."""
    import termios

    # What was typed before the question appeared is not an answer to it.
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    print_text(question)
    answer = sys.stdin.buffer.readline(_LIMIT)
    if not answer.endswith(b"\n"):
        print_text("\n")
    return answer
