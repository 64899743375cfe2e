"""The verbs of ``secboot`` and what they all share: usage errors, output, the exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from secboot import __version__
from secboot.cli import verbs
from secboot.cli.errors import guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETION = "_SECBOOT_COMPLETE"
"""Set by a shell that asks for completions (Typer names it after the program)."""


def application(words: Sequence[str]) -> typer.Typer:
    """Return the application for a command line, with the verbs that it needs (`verbs.register`)."""
    app = typer.Typer(
        name="secboot",
        help="Declarative boot configuration for IBM Secure Execution on IBM Z and LinuxONE.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    verbs.register(app, () if COMPLETION in os.environ else words)
    return app


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"secboot {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
) -> None:
    """Options that stand before the verb; they act through their callbacks and `run`."""
    _ = version, debug


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything that goes wrong becomes text."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files can hold any byte, and a terminal any encoding: show, never fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in words or bool(os.environ.get("SECBOOT_DEBUG"))
    return guarded(lambda: _run(words), debug=debug)


def _run(words: Sequence[str]) -> int:
    command = typer.main.get_command(application(words))
    try:
        result = command.main(list(words), prog_name="secboot", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Typer's own usage errors know how to show themselves and which code they mean.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            return int(error.exit_code)
        raise
    return int(result or 0)
