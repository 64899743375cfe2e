"""The commands of secboot as data, read from the application that parses the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import typer

from secboot.cli.app import application
from secboot.cli.commands import help_record
from secboot.cli.help import EXAMPLES, MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MANY_CHOICES = re.compile(r"<([^<>|]+(?:\|[^<>|]+){5,})>")
"""More than five choices: too long for the name of an option."""


class _Command(Protocol):
    """What this module uses of a command."""

    @property
    def help(self) -> str | None: ...
    @property
    def params(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option or argument: how it is written, and its help text."""

    written: str
    help: str
    is_option: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One command: all its words (``profile list``), its arguments for the synopsis, its help."""

    name: str
    synopsis: str
    help: str
    parameters: tuple[Parameter, ...]

    @property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """Commands as they can be typed, and what each does."""
        of_verb = EXAMPLES[self.name.split(" ")[0]]
        return tuple(each for each in of_verb if each[0].startswith(f"secboot {self.name}"))


def commands() -> tuple[Command, ...]:
    """Return every command that is not a group, in the order of ``secboot --help``."""
    group = typer.main.get_command(application(()))
    return tuple(_walk(group, typer.Context(group, info_name="secboot"), ""))


def global_options() -> tuple[Parameter, ...]:
    """Return the options of the program itself."""
    group = typer.main.get_command(application(()))
    return _parameters(group, typer.Context(group, info_name="secboot"))


def exit_codes() -> tuple[tuple[int, str], ...]:
    """Return each exit code with its meaning."""
    return tuple((int(code), text) for code, text in MEANINGS.items())


def _walk(command: _Command, context: typer.Context, name: str) -> Iterator[Command]:
    if not isinstance(command, typer.core.TyperGroup):
        parameters = _parameters(command, context)
        arguments = [each.written for each in parameters if not each.is_option]
        yield Command(
            name, " ".join(["[OPTIONS]", *arguments]), _one_line(command.help), parameters
        )
        return
    for each in command.list_commands(context):
        child = command.commands[each]
        below = typer.Context(child, info_name=each, parent=context)
        yield from _walk(child, below, f"{name} {each}".strip())


def _parameters(command: _Command, context: typer.Context) -> tuple[Parameter, ...]:
    found = []
    for parameter in command.params:
        record = help_record(parameter, context)
        if record is None:
            continue
        written, text = record
        is_option = parameter.param_type_name == "option"
        text = _one_line(text).removesuffix(" [required]")
        many = _MANY_CHOICES.search(written)
        if many is not None:
            written = written.replace(many[0], "NAME")
            text = f"{text} One of {many[1].replace('|', ', ')}."
        found.append(Parameter(written, text, is_option))
    return tuple(found)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
