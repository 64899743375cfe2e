"""``--ask``: a plan is shown, and followed only if somebody at the terminal agrees to exactly that one.

No lock is held while the question stands, so that a kernel can be installed meanwhile. The plan is
made again under the lock; if it is another one then, it is shown and asked about again.
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
"""Bytes of an answer; a terminal's line has 4096 at most."""


class Question(Generic[Planned]):
    """Asks `words` about a plan that `show` prints; without `wanted` everything is agreed to.

    Raises UsageError for output that is for programs, and RefusedError where nobody would see the
    plan or could answer.
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
        """Show the plan and wait for the answer, if that is wanted; anything but yes ends it all."""
        if not self._wanted:
            return
        unchanged = "nothing of this plan was done" if self._agreed else "nothing was changed"
        with self._site.progress.hidden():
            self._show(plan)
            try:
                agreed = _answer(f"\n{self._words} [y/N] ").strip().lower() in _YES
            except KeyboardInterrupt:
                print_text("\n")
                raise InterruptError("interrupted", hint=unchanged) from None
            if not agreed:
                raise _DeclinedError(unchanged)
        self._agreed.append(plan)

    def require(self, plan: Planned) -> None:
        """Stop what is about to follow a plan that is not the one that was agreed to."""
        if self._wanted and plan not in self._agreed[-1:]:
            raise _AnotherPlanError

    def answered(self, work: Callable[[], Result]) -> Result | None:
        """Do `work`, which calls `ask` and then `require`; None where the answer was no."""
        while True:
            try:
                return work()
            except _AnotherPlanError:
                print_text("\nThe machine has changed since; this is the plan now.\n\n")
            except _DeclinedError as error:
                print_text(f"The answer was not yes: {error.message}.\n")
                return None


class _AnotherPlanError(Exception):
    """Files were changed between the answer and the lock."""


class _DeclinedError(RefusedError):
    """The answer was no; the message says how that leaves the machine."""


def _require_terminal(output: Format) -> None:
    if output != "text":
        raise UsageError(
            f"--ask and --output {output} cannot be combined", hint="nothing was changed"
        )
    if is_quiet():
        raise UsageError("--ask and --quiet cannot be combined", hint="nothing was changed")
    for stream, what in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not _is_terminal(stream):
            raise RefusedError(
                f"--ask needs a terminal, and standard {what} is none",
                hint="nothing was changed\ngive --yes in its place to go on without a question",
            )


def _is_terminal(stream: TextIO | None) -> bool:
    # A stream is None when it is closed.
    return stream is not None and stream.isatty()


def _answer(question: str) -> bytes:
    """Return the line that is typed in answer; nothing at the end of the input."""
    import termios

    # What was typed before the question stood there is no answer to it.
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    print_text(question)
    answer = sys.stdin.buffer.readline(_LIMIT)
    if not answer.endswith(b"\n"):
        print_text("\n")
    return answer
