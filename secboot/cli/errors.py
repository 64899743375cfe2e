"""The one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from secboot.errors import ExitCode, SecbootError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run `command` and return its exit code; errors become text on standard error.

    A `SecbootError` is told in its own words. Anything else is a bug in secboot and is told as
    such; its traceback is shown with `debug` only.
    """
    try:
        return command()
    except SecbootError as error:
        report(error)
        if debug:
            traceback.print_exc()
        return int(error.exit_code)
    except KeyboardInterrupt:
        _print("secboot: interrupted")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`secboot show | head`): nobody is left to tell.
        sys.stderr.close()
        return int(ExitCode.REFUSED)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is left is a bug of ours
        if debug:
            traceback.print_exc()
        _print(f"secboot: bug: {type(error).__name__}: {visible(str(error))}")
        _print("  please report it, with what `secboot --debug ...` prints")
        return int(ExitCode.BUG)


def report(error: SecbootError) -> None:
    """Tell an error on standard error: what, where, and below it what to do."""
    _print(f"secboot: error: {visible_message(error)}")
    if error.hint:
        _print(_indented(error.hint))


def visible_message(error: SecbootError) -> str:
    """Return the error as text that is safe to show on a terminal; lines stay lines."""
    return "\n".join(visible(line) for line in str(error).split("\n"))


def _indented(text: str) -> str:
    return "\n".join(f"  {visible(line)}" for line in text.split("\n"))


def _print(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - the command line talks to people
