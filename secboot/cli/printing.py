"""Writing reports to standard output, and errors to standard error.

Either may be closed, full, or a pipe without a reader. The exit code is about the machine: then a
command that only reads fails (code 1), and one that has changed something says so (code 6).
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from secboot.cli.global_options import GlobalOptions
from secboot.cli.options import Format
from secboot.errors import Location, RefusedError, SecbootError, UnreportedError
from secboot.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from secboot.finding import Finding
    from secboot.report.style import Style


_presented = GlobalOptions()
"""The options on output of this command line."""


def present(options: GlobalOptions) -> None:
    """Use these options on output from now on."""
    global _presented  # noqa: PLW0603 - a process has one standard output
    _presented = options


def is_quiet() -> bool:
    """Whether text reports and progress are suppressed."""
    return _presented.quiet


def is_verbose() -> bool:
    """Whether reports must leave nothing out."""
    return _presented.verbose


class OutputError(RefusedError):
    """Standard output cannot be written to."""


def print_text(text: str) -> None:
    """Write text that ends with its newline.

    Raises OutputError, and BrokenPipeError if the reader has closed the pipe.
    """
    # The stream is None when it is closed.
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        let_go_of(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def require_output() -> None:
    """Raise OutputError, before a change, if it is certain that nothing can be printed."""
    import fcntl
    import select

    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        file = sys.stdout.fileno()
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
    except (OSError, ValueError):
        # Not a file: a caller of secboot as a library has its own stream.
        return
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    gone = any(state & (select.POLLERR | select.POLLNVAL) for _, state in poll.poll(0))
    if gone or mode == os.O_RDONLY:
        what = (
            "standard output has no reader" if gone else "standard output is open for reading only"
        )
        raise OutputError(what)


@contextmanager
def reporting(done: str, hint: str) -> Iterator[None]:
    """A context for the report of a command; `done` says what it has changed, "" for nothing.

    Raises UnreportedError, with `hint`, if something was changed and the report fails for any reason.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not done:
            raise
        strerror = error.strerror if isinstance(error, OSError) else None
        why = error.message if isinstance(error, SecbootError) else strerror or str(error)
        why = why or type(error).__name__
        raise UnreportedError(
            f"{done}, but the report could not be written: {why}", hint=hint
        ) from error


def let_go_of(stream: TextIO) -> None:
    """Keep Python from trying to flush again when the process ends: failing, it would exit with 120."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document; everything except ASCII is escaped, so that every byte survives."""
    import json

    from secboot.report.made import with_origin

    print_text(json.dumps(with_origin(document, os.environ), indent=2) + "\n")


def print_report(
    output: Format, document: Callable[[], dict[str, Any]], text: Callable[[Style], str]
) -> None:
    """Write a report as JSON, or as text unless --quiet suppresses it."""
    if output == "json":
        print_json(document())
    elif not is_quiet():
        print_text(text(style()))


def print_error(error: SecbootError) -> None:
    """Report an error on standard error: what, where, and below that what to do."""
    print_message(f"secboot: error: {visible_lines(str(error))}")
    if error.quote:
        print_message(visible_lines(error.quote))
    if error.hint:
        from secboot.report.style import hint_lines

        _print_lines(hint_lines(error.hint, error_style(), "  "))


def print_message(text: str, rest: str = "    ") -> None:
    """Write lines to standard error if possible; the text must be safe to show.

    On a terminal they are filled; `rest` begins a line that continues another one.
    """
    from secboot.report.style import message_lines

    _print_lines(message_lines(text, error_style(), rest))


def print_findings(findings: Iterable[Finding]) -> None:
    """Write findings to standard error."""
    from secboot.report.style import finding_text

    _print_lines([finding_text(each, error_style()) for each in findings])


def _print_lines(lines: list[str]) -> None:
    # The stream is None when it is closed.
    if lines and sys.stderr is not None:
        try:
            print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - this is the command's output
        except (OSError, ValueError):
            let_go_of(sys.stderr)


def file_error(path: Path, message: str) -> RefusedError:
    """Return the error about a file that the user named."""
    return RefusedError(message, location=Location(visible(str(path))))


def style() -> Style:
    """Return the style for standard output."""
    from secboot.report.style import style_for

    return style_for(sys.stdout, os.environ, _presented.colour)


def error_style() -> Style:
    """Return the style for standard error."""
    from secboot.report.style import PLAIN, style_for

    try:
        return style_for(sys.stderr, os.environ, _presented.colour)
    except (AttributeError, OSError, ValueError):
        # The stream is closed.
        return PLAIN
