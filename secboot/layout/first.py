"""The first configuration of a tree: the request, the material for it, and the resulting files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.fstab import FSTAB, Fstab
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.text import require_one_line
from secboot.invocation import Invocation
from secboot.kernel.command_line import require_editable
from secboot.machine.bare_tree import BareTree
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.machine.bare_tree import BootName
    from secboot.machine.discovery import Machine

USUAL_TARGET = "/boot"


class FirstAsked(NamedTuple):
    """What the user specified; None if secboot must find it. `parameters` is a whole parameter line."""

    target: str | None = None
    parameters: str | None = None


class FirstFiles(NamedTuple):
    """The new files as pairs of path and text, and the parameter line with its origin.

    `line` is None if the boot entries already exist. `warnings` are about the file of its origin.
    """

    files: tuple[tuple[str, str], ...]
    line: str | None
    origin: str = ""
    warnings: tuple[Finding, ...] = ()


def material(machine: Machine) -> BareTree:
    """Return what was found in the tree for a first configuration."""
    return machine.bare or BareTree()


def first_line(machine: Machine, asked: FirstAsked, kept: str, where: str) -> tuple[str, str]:
    """Return the parameter line and its origin: as specified, as `kept` in `where`, or from fstab.

    Raises RefusedError if the device of the root file system is unknown: secboot does not guess.
    """
    if asked.parameters is not None:
        require_one_line(asked.parameters, "a boot entry")
        require_editable(CommandLine.parse(asked.parameters))
        line = asked.parameters.strip(" \t")
        if kept and kept.split() != line.split():
            raise RefusedError(
                f"{where} has a different line for future kernels: {kept}",
                hint=f"omit --parameters, or correct {where} first",
            )
        return line, "--parameters"
    if kept:
        return kept, where
    fstab = machine.document(FSTAB, Fstab)
    found = None if fstab is None else fstab.root_parameters()
    if found is None:
        command = Invocation.on(machine.root).command("init", "--parameters", "root=UUID=...")
        raise RefusedError(
            f"the device of the root file system of {machine.root} is unknown:"
            f" {FSTAB} {'is missing' if fstab is None else 'does not name it'}",
            hint=f"specify the whole parameter line: {command}",
        )
    return found, FSTAB


def require_kernel(path: str, name: BootName) -> None:
    """Raise RefusedError if the file can't be read or is not a kernel for IBM Z."""
    if name.is_kernel:
        return
    if name.is_kernel is None:
        raise RefusedError(
            f"{path} can't be read, so secboot does not know whether it is a kernel",
            hint="run secboot as root",
        )
    raise RefusedError(
        f"{path} is not a kernel for IBM Z and LinuxONE (s390x)",
        hint="specify the root directory of such a system: --root DIR",
    )


def inside(machine: Machine, *words: str) -> str:
    """Return a command as the user must type it for this tree."""
    return Invocation.on(machine.root).of_programs((words,))
