"""What the next IPL starts by default after a rollback, and with which of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.apply.undoing import NO_WORDS
from secboot.errors import SecbootError
from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.ipl.secure_execution import UNSEALED_AFTER_ZIPL, leaves_by_files
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.apply.undoing import Undoing
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.zipl.configuration import BootConfiguration


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


def leaving_secure_execution(
    layout: Layout,
    machine: Machine | None,
    after: BootConfiguration | SecbootError | None,
    *,
    runs: bool,
) -> tuple[Finding, ...]:
    """Return the warning that with the files `after` a rollback, a secure guest does not stay one.

    `machine` was read before it; None if it could not be read. Unless zipl `runs` after it, a default
    that was a plain kernel image before needs no warning.
    """
    if machine is None or after is None or isinstance(after, SecbootError):
        return ()
    restored = machine._replace(configuration=after)
    try:
        default = leaves_by_files(restored, layout.next_ipl_of(restored))
        is_new = runs or leaves_by_files(machine, layout.next_ipl_of(machine)) is None
    except SecbootError:
        return ()
    if default is None or not is_new:
        return ()
    message = (
        f"after the rollback, the default is '{visible(default.name)}', a plain kernel image: the next"
        " IPL leaves Secure Execution"
    )
    hint = "to stay, make the boot entry of the Secure Execution image the default before that IPL"
    return (Finding(UNSEALED_AFTER_ZIPL, Severity.WARNING, message, default.location, hint),)


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
