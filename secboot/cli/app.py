"""The verbs of ``secboot`` and what they all share: usage errors, output, the exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secboot import __version__
from secboot.cli.global_options import taken_from
from secboot.cli.printing import let_go_of_output, present, print_error, print_message
from secboot.errors import ExitCode, SecbootError, UsageError
from secboot.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERBS = (
    *("plan", "apply", "status", "verify", "fleet", "rollback", "keep", "history", "show"),
    *("check", "check-domain", "profile", "export", "demo"),
)
"""In the order of ``secboot --help``. A verb is the function of its name in the module of its name,
with _ for - (verify is in that of status); a group is such a module's `app`."""
_HELP = frozenset({"-h", "--help"})
COMPLETION = "_SECBOOT_COMPLETE"
"""Set by a shell that asks for completions (Typer names it after the program)."""


def application(words: Sequence[str]) -> typer.Typer:
    """Return the application for a command line, with the verb that it names first; else with all.

    Reading a verb's options and making them Typer's takes about as long as planning three boot
    entries, so only the verb that is asked for is imported and made. Help, completion and mistakes
    need them all. The first word that is no option is the verb: those that may stand before it and
    take a value are not among `words` (`global_options`).
    """
    named = next((word for word in words if not word.startswith("-")), None)
    epilog = _epilogs(words, named)
    app = typer.Typer(
        name="secboot",
        help="Declarative boot configuration for IBM Secure Execution on IBM Z and LinuxONE.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=epilog(""),
    )
    app.callback()(options)
    needed = (named,) if named in VERBS and COMPLETION not in os.environ else VERBS
    for verb in needed:
        name = verb.replace("-", "_")
        module = import_module(f"secboot.cli.{'status' if verb == 'verify' else name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb, epilog=epilog(verb))
        else:
            app.command(verb, epilog=epilog(verb))(getattr(module, name))
    return app


def _epilogs(words: Sequence[str], named: str | None) -> Callable[[str], str | None]:
    """What ends the help of a verb; nothing where no help is asked for."""
    if named is not None and not _HELP.intersection(words):
        return lambda _: None
    from secboot.cli.help import epilog

    return epilog


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"secboot {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option(
            *("--version", "-V"),
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
    color: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            "--color", metavar="WHEN", help="Colour: auto (on a terminal), always or never."
        ),
    ] = "auto",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no report for people, and no progress.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
) -> None:
    """Options that may stand on either side of the verb: `global_options` has read them."""
    _ = version, color, quiet, debug


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything that goes wrong becomes text."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files can hold any byte, and a terminal any encoding: show, never fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in words or bool(os.environ.get("SECBOOT_DEBUG"))
    return guarded(lambda: _run(words), debug=debug)


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run `command` and return its exit code; errors become text on standard error.

    A `SecbootError` is reported in its own words, and so is what the system refuses. Anything else
    is a bug in secboot and is reported as such; its traceback is shown with `debug` only.
    """
    try:
        return command()
    except SecbootError as error:
        print_error(error)
        _print_traceback(debug=debug)
        return error.exit_code
    except KeyboardInterrupt:
        print_message("secboot: interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`secboot show | head`): nobody is left to tell.
        let_go_of_output()
        return ExitCode.REFUSED
    except (OSError, MemoryError, RecursionError, UnicodeError) as error:
        # What no caller foresaw. A change that it cut short has been rolled back, and then this is
        # not what gets here.
        _print_traceback(debug=debug)
        print_message(f"secboot: error: {_of_the_system(error)}")
        return ExitCode.REFUSED
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is left is a bug of ours
        _print_traceback(debug=debug)
        print_message(f"secboot: bug: {type(error).__name__}: {visible(str(error))}")
        print_message("  please report it, with what `secboot --debug ...` prints")
        return ExitCode.BUG


def _of_the_system(error: Exception) -> str:
    """Say what the system refused, and where that is known."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{visible(str(error.filename))}: " if error.filename is not None else ""
        return f"{place}{error.strerror}"
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, RecursionError):
        return "what was read is nested too deeply"
    return f"text can't be read or written: {visible(str(error))}"


def _print_traceback(*, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def _require_words(words: Sequence[str]) -> None:
    """Refuse an empty word: as a path it would be the current directory, as a name nothing."""
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=")
        is_empty = not word or (option.startswith("--") and equals and not value)
        if word == "--":
            return
        if is_empty and "--line" not in {before, option}:
            named = option or before
            what = named if named.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty", hint="is a variable of the shell unset?")


def _run(words: Sequence[str]) -> int:
    _require_words(words)
    chosen, words = taken_from(words)
    present(chosen)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    command = typer.main.get_command(application(words))
    try:
        result = command.main(list(words), prog_name="secboot", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Typer's own usage errors know how to show themselves and which code they mean; they repeat
        # the words of the command line as they are.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            shown = StringIO()
            error.show(file=shown)
            print_message(visible_lines(shown.getvalue().removesuffix("\n")))
            return int(error.exit_code)
        raise
    return int(result or 0)
