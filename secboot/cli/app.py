"""The verbs of ``secboot`` and what they all share: usage errors, output, the exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from secboot import __version__
from secboot.cli import state_line
from secboot.cli.commands import ShownUsageError, VerbCommand, VerbGroup, shown_usage
from secboot.cli.global_options import COMPLETION, taken_from
from secboot.cli.looking import process_is_ours
from secboot.cli.options import one_of
from secboot.cli.printing import let_go_of, present, print_error, print_message
from secboot.errors import ExitCode, RefusedError, SecbootError, UsageError
from secboot.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERBS = (
    *("init", "plan", "apply", "set", "confirm", "status", "verify", "fleet", "rollback"),
    *("keep", "history", "show", "check", "check-domain", "explain", "profile", "export"),
    *("demo", "completion"),
)
"""In the order of ``secboot --help``. Each verb is the function of its name in the module of its
name, with _ for - (verify is in the module of status); a group of verbs is its module's `app`."""
When = Literal["auto", "always", "never"]
_HELP = frozenset({"-h", "--help"})


def application(words: Sequence[str]) -> typer.Typer:
    """Return the application for a command line: with the verb that it names, or with all verbs.

    Turning a verb's options into those of Typer takes about as long as planning three boot entries,
    so only the verb that is named is imported. Help, completion and mistyped verbs need all of them.
    The first word that is not an option is the verb: options that may precede it and have a value
    are no longer in `words` (see `global_options`).
    """
    named = next((word for word in words if not word.startswith("-")), None)
    epilog = _epilogs(words, named)
    app = typer.Typer(
        name="secboot",
        help="Declarative boot configuration for IBM Secure Execution on IBM Z and LinuxONE.",
        cls=VerbGroup,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=epilog(""),
    )
    # Typer takes as long for these options as for a verb's, and after the verb it would not read them.
    app.callback()(options if named is None or words[0] != named else _without_options)
    needed = (named,) if named in VERBS else VERBS
    for verb in needed:
        name = verb.replace("-", "_")
        module = import_module(f"secboot.cli.{'status' if verb == 'verify' else name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb, epilog=epilog(verb))
        else:
            app.command(verb, cls=VerbCommand, epilog=epilog(verb))(getattr(module, name))
    return app


def _epilogs(words: Sequence[str], named: str | None) -> Callable[[str], str | None]:
    """Return what gives the end of a verb's help; it gives None unless help is requested."""
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
        When,
        typer.Option(
            "--color",
            **one_of(*get_args(When), metavar="WHEN"),
            help="Colour: auto (on a terminal), always or never.",
        ),
    ] = "auto",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no text report and no progress.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List every boot entry and its location.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when a command fails.")
    ] = False,
) -> None:
    """Options that are allowed on either side of the verb; `global_options` has read them."""
    _ = version, color, quiet, verbose, debug


def _without_options() -> None:
    """Stand for `options` on a command line that has none before the verb."""


def run(words: Sequence[str], *, is_process: bool = False) -> int:
    """Run one command line and return its exit code; every failure is reported as text.

    With `is_process`, the process ends with the command, so a command that only reads drops its
    privileges.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names can contain any byte, and terminals use any encoding: printing must not fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in words or bool(os.environ.get("SECBOOT_DEBUG"))
    if is_process:
        process_is_ours(debug=debug)
    changes = state_line.can_change(words, VERBS)
    forms = ("json", "nagios") if "verify" in words and not changes else ("json",)
    form = next((each for each in forms if _requests(words, each)), None)
    return guarded(lambda: _run(words), debug=debug, form=form, changes=changes)


def guarded(
    command: Callable[[], int], *, debug: bool, form: str | None = None, changes: bool = False
) -> int:
    """Run `command` and return its exit code; errors become text on standard error.

    A `SecbootError` is reported with its own message, and so is an error of the operating system.
    Anything else is a bug in secboot and is reported as one; its traceback is shown only with
    `debug`. With the form "json" the failure is also a JSON document on standard output; with
    "nagios" it is what a monitoring plugin prints, with its exit code. If the command `changes` a
    machine, the last line describes the state of that machine.
    """
    state_line.begin(changes=changes)
    try:
        return command()
    except BrokenPipeError:
        # The reader has closed the pipe (`secboot show | head`) and needs no reason; only the state
        # of a machine that a command changes matters.
        let_go_of(sys.stdout)
        if state_line.state() is not None:
            print_error(RefusedError("standard output has no reader"))
            _print_state()
        return state_line.code_of_state()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary: everything else is a bug in secboot
        if debug and not isinstance(error, KeyboardInterrupt | ShownUsageError):
            import traceback

            traceback.print_exc()
        code, shown = _failure(error)
        if form == "nagios" and code is not ExitCode.INTERRUPTED:
            return _print_unknown(shown)
        if isinstance(error, ShownUsageError):
            print_message(error.shown)
        elif code is ExitCode.INTERRUPTED and not shown.hint:
            print_message(f"secboot: {visible(str(shown))}")
        elif code is ExitCode.BUG:
            print_message(f"secboot: bug: {visible(str(shown))}")
            print_message(f"  {shown.hint}")
        else:
            print_error(shown)
        _print_state()
        if form == "json":
            _print_failure(code, shown)
        return code


def _print_state() -> None:
    state = state_line.state()
    if state is not None:
        print_message(visible(state.sentence), rest="")


def _failure(error: BaseException) -> tuple[ExitCode, SecbootError]:
    """Return the exit code for an exception, and the error to report."""
    if isinstance(error, SecbootError):
        return error.exit_code, error
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, RefusedError("interrupted")
    if isinstance(error, OSError | MemoryError | RecursionError | UnicodeError):
        # No caller handled it. If it interrupted a change, that change has been rolled back.
        return state_line.code_of_state(), RefusedError(_of_the_system(error))
    what = f"{type(error).__name__}: {error}"
    hint = "please report it, with the output of `secboot --debug ...`"
    return ExitCode.BUG, RefusedError(what, hint=hint)


def _print_failure(code: ExitCode, error: SecbootError) -> None:
    from secboot.cli.help import MEANINGS
    from secboot.cli.printing import print_json
    from secboot.report.failure import failure_document

    # The message is on standard error already, so nothing is lost if this cannot be written.
    with suppress(SecbootError, OSError):
        print_json(failure_document(code, MEANINGS[code], error, state_line.state()))


def _print_unknown(error: SecbootError) -> int:
    from secboot.cli.printing import print_text
    from secboot.report.monitoring import plugin_failure

    text, code = plugin_failure(str(error), error.hint)
    with suppress(SecbootError, OSError):
        print_text(text)
    return code


def _requests(words: Sequence[str], form: str) -> bool:
    """Tell whether a command line, which may be invalid, requests this form of output."""
    before = list(words[: words.index("--")] if "--" in words else words)
    asked = {f"-o{form}", f"-o={form}", f"--output={form}"}
    pairs = (("-o", form), ("--output", form))
    return any(word in asked for word in before) or any(each in pairs for each in pairwise(before))


def _of_the_system(error: Exception) -> str:
    """Describe an error of the operating system, with its file if that is known."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{visible(str(error.filename))}: " if error.filename is not None else ""
        return f"{place}{error.strerror}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply"
    return f"text cannot be decoded or encoded: {visible(str(error))}"


def _require_words(words: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would mean the current directory."""
    are_options = True
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=") if are_options else (word, "", "")
        is_empty = not word or (option.startswith("--") and equals and not value)
        are_options = are_options and word != "--"
        if is_empty and "--line" not in {before, option}:
            named = option or before
            what = named if named.startswith("-") and named != "--" else "an argument"
            raise UsageError(f"{what} is empty", hint="is a shell variable unset?")


def _run(words: Sequence[str]) -> int:
    _require_words(words)
    chosen, words = taken_from(words)
    present(chosen)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if COMPLETION in os.environ:
        from secboot.cli.completion import answer, words_before
        from secboot.cli.printing import print_text

        command = typer.main.get_command(application(words_before(os.environ)))
        print_text(answer(command))
        return ExitCode.OK
    command = typer.main.get_command(application(words))
    try:
        result = command.main(list(words), prog_name="secboot", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Typer's usage errors repeat words of the command line without escaping them.
        shown = shown_usage(error)
        if shown is not None:
            raise ShownUsageError(visible_lines(shown)) from None
        raise
    if result == ExitCode.INTERRUPTED:
        # Typer has caught the signal and printed nothing.
        raise KeyboardInterrupt
    return int(result or 0)
