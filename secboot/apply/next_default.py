"""What the next IPL starts by default after a rollback, and with which of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.apply.undoing import NO_WORDS
from secboot.errors import SecbootError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.apply.undoing import Undoing
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine


class NextDefault(NamedTuple):
    """The boot entry that starts if nobody chooses one.

    `parameters` are the words of its line that the change was about, or ``without NAME`` if it has none;
    `inherited` are those that are still as the change left them.
    """

    title: str
    parameters: tuple[str, ...]
    inherited: tuple[str, ...]


def next_default(
    layout: Layout, machine: Machine, undoing: Undoing, *, ran: bool
) -> NextDefault | None:
    """Return what a machine that was read after a rollback starts; None if unknown.

    If zipl `ran`, the boot record decides; otherwise the boot files, because zipl will run on them.
    """
    try:
        title, line = _from_record(layout, machine) if ran else _from_files(machine)
    except (SecbootError, LookupError):
        return None
    if title is None or line is None:
        return None
    words = CommandLine.parse(line)
    parameters = tuple(
        word
        for name in undoing.names
        for word in [each.text for each in words.named(name)] or [f"{NO_WORDS}{name}"]
    )
    return NextDefault(title, parameters, undoing.inherited(line))


def _from_record(layout: Layout, machine: Machine) -> tuple[str | None, str | None]:
    found = layout.next_ipl_of(machine).default
    if found is None or found.line is None or found.unsure is not None:
        return None, None
    return found.title, found.line


def _from_files(machine: Machine) -> tuple[str | None, str | None]:
    default = machine.configuration.default
    if machine.sources.generated or default is None or machine.is_secure(default):
        return None, None
    return default.name, default.parmline or ""
