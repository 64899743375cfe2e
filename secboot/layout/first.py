"""The first configuration of a tree: what is asked for, what it is made of, and what it consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.fstab import FSTAB, Fstab
from secboot.formats.text import require_one_line
from secboot.invocation import Invocation
from secboot.machine.bare_tree import BareTree
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.machine.bare_tree import BootName
    from secboot.machine.discovery import Machine

USUAL_TARGET = "/boot"


class FirstAsked(NamedTuple):
    """What the user says; None is for secboot to find. `parameters` is a whole parameter line."""

    target: str | None = None
    parameters: str | None = None


class FirstFiles(NamedTuple):
    """The new files by path, with their texts, and the parameter line, with where it is from.

    `line` is None where the boot entries are there already. `warnings` are about the file that it is from.
    """

    files: tuple[tuple[str, str], ...]
    line: str | None
    origin: str = ""
    warnings: tuple[Finding, ...] = ()


def material(machine: Machine) -> BareTree:
    """Return what was found to make a first configuration of."""
    return machine.bare or BareTree()


def first_line(machine: Machine, asked: FirstAsked, kept: str, where: str) -> tuple[str, str]:
    """Return the parameter line, with where it is from: as given, as `kept` in `where`, or by fstab.

    Raises RefusedError where nothing says which device the root file system is on: no guess.
    """
    if asked.parameters is not None:
        require_one_line(asked.parameters, "a boot entry")
        line = asked.parameters.strip(" \t")
        if kept and kept.split() != line.split():
            raise RefusedError(
                f"{where} holds another line, which later kernels get: {kept}",
                hint=f"leave out --parameters, or correct {where} first",
            )
        return line, "--parameters"
    if kept:
        return kept, where
    fstab = machine.document(FSTAB, Fstab)
    found = None if fstab is None else fstab.root_parameters()
    if found is None:
        command = Invocation.on(machine.root).command("init", "--parameters", "root=UUID=...")
        raise RefusedError(
            f"it is not known which device the root file system of {machine.root} will be on:"
            f" {FSTAB} {'is missing' if fstab is None else 'does not say it'}",
            hint=f"give the whole parameter line: {command}",
        )
    return found, FSTAB


def require_kernel(path: str, name: BootName) -> None:
    """Raise RefusedError for what no IBM Z machine can boot, and for what can't be read."""
    if name.is_kernel:
        return
    if name.is_kernel is None:
        raise RefusedError(
            f"{path} can't be read, so it is not known whether it is a kernel",
            hint="run it as root",
        )
    raise RefusedError(
        f"{path} is not a kernel for IBM Z and LinuxONE (s390x)",
        hint="name the tree of such a system: --root DIR",
    )


def inside(machine: Machine, *words: str) -> str:
    """Return a command as it is typed for this tree."""
    return Invocation.on(machine.root).of_programs((words,))
