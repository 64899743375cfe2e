"""Typer's commands, with the same texts and exit codes for every supported version of Typer.

Distributions have Typer 0.15.2 or later, with its own Click or without. The versions differ in usage
lines, in suggestions for misspelled words, and in the exit code of a group without a command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import typer

from secboot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typer._click import Command, Context, HelpFormatter

    _Resolved = tuple[str | None, Command | None, list[str]]

_EXTRA = "unexpected extra arguments?(?![(])"


class _Parameter(Protocol):
    """The attributes of an option or argument that are read; Typer does not export Click's class."""

    @property
    def name(self) -> str | None: ...
    @property
    def metavar(self) -> str | None: ...
    @property
    def param_type_name(self) -> str: ...
    @property
    def required(self) -> bool: ...
    def get_help_record(self, ctx: Context) -> tuple[str, str] | None: ...


class ShownUsageError(UsageError):
    """A usage error of Typer, with the text that it shows: usage line, hint and message."""

    def __init__(self, shown: str) -> None:
        super().__init__(shown.rpartition("Error: ")[2])
        self.shown = shown


class VerbCommand(typer.core.TyperCommand):
    """A command."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return what the usage line names, without the braces of Typer from 0.26 on."""
        return _usage_pieces(self.get_params(ctx))

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the sections of arguments and options."""
        _write_parameters(self.get_params(ctx), ctx, formatter)


class VerbGroup(typer.core.TyperGroup):
    """A group of commands. Without a command it shows its commands, and that is a usage error."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return what the usage line names."""
        return [*_usage_pieces(self.get_params(ctx)), "COMMAND [ARGS]..."]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the sections of options and commands."""
        _write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Raise ShownUsageError with the commands if none is named."""
        if not args and not ctx.resilient_parsing:
            raise ShownUsageError(self._brief_help(ctx))
        return super().parse_args(ctx, args)

    def _brief_help(self, ctx: Context) -> str:
        """Return the help of a group. All of secboot's does not fit a terminal: only its commands."""
        if ctx.parent is not None:
            return self.get_help(ctx)
        formatter = ctx.make_formatter()
        self.format_commands(ctx, formatter)
        hint = f"Try '{ctx.command_path} --help' for options, examples and exit codes."
        return f"{ctx.get_usage()}\n{hint}\n\n{formatter.getvalue().strip()}"

    def resolve_command(self, ctx: Context, args: list[str]) -> _Resolved:
        """Refuse an unknown command, and suggest commands with a similar name."""
        name = args[0]
        is_command = self.get_command(ctx, name) is not None or name.startswith("-")
        if not is_command and not ctx.resilient_parsing:
            from difflib import get_close_matches

            alike = get_close_matches(name, self.commands)
            ctx.fail(f"No such command '{name}'.{_suggestion(alike)}")
        return super().resolve_command(ctx, args)


def shown_usage(error: Exception) -> str | None:
    """Return the text of a usage error of Typer; None for another error."""
    if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
        return None
    message = str(error.format_message()).partition(" Choose from:")[0]
    message = re.sub(_EXTRA, "unexpected extra argument(s)", message)
    if hasattr(error, "possibilities") and hasattr(error, "option_name"):
        suggestion = _suggestion(sorted(error.possibilities or ()))
        message = f"No such option: {error.option_name}{suggestion and f'.{suggestion}'}"
    context = getattr(error, "ctx", None)
    if context is None:
        return f"Error: {message}"
    hint = f"Try '{context.command_path} -h' for help."
    return f"{context.get_usage()}\n{hint}\n\nError: {message}"


def _usage_pieces(parameters: Iterable[_Parameter]) -> list[str]:
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    return ["[OPTIONS]", *map(_argument_name, arguments)]


def _argument_name(argument: _Parameter) -> str:
    name = argument.metavar or str(argument.name).upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _write_parameters(
    parameters: Iterable[_Parameter], ctx: Context, formatter: HelpFormatter
) -> None:
    parameters = list(parameters)
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        found = (each for each in parameters if each.param_type_name == kind)
        rows = [record for each in found if (record := help_record(each, ctx))]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def help_record(parameter: _Parameter, ctx: Context) -> tuple[str, str] | None:
    """Return how a parameter is written, and its help; None for a hidden parameter."""
    if parameter.param_type_name == "argument":
        words = [getattr(parameter, "help", "") or "", "[required]" if parameter.required else ""]
        return _argument_name(parameter), "  ".join(filter(None, words))
    record = parameter.get_help_record(ctx)
    # Typer before 0.16 puts a backslash before the bracket.
    return record and (record[0], record[1].replace("\\[", "["))


def _suggestion(words: Iterable[str]) -> str:
    named = ", ".join(f"'{each}'" for each in words)
    return f" Did you mean {named}?" if named else ""
