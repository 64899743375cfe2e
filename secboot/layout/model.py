"""What a layout is: where parameters belong, which programs commit them, what a new kernel gets."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

from secboot.errors import RefusedError
from secboot.machine.discovery import Sources


class Inheritance(StrEnum):
    """Where a kernel that is installed later takes its parameters from."""

    KERNEL_CMDLINE = "kernel-cmdline"
    """/etc/kernel/cmdline; where that is missing or empty, the running system's line."""
    DEFAULT_SECTION = "default-section"
    """A copy of the default section of zipl.conf."""
    SAME_SECTION = "same-section"
    """The section that is there: its image is a symbolic link, which moves to the new kernel."""
    GRUB_DEFAULT = "grub-default"
    """/etc/default/grub."""
    DEPLOYMENT = "deployment"
    """The deployment before, by a program that keeps its own list."""
    UNKNOWN = "unknown"


class Program(NamedTuple):
    """A program that commits a change, and what the machine lacks until it has run."""

    argv: tuple[str, ...]
    reason: str


ZIPL = Program(("zipl",), "the boot record holds the old parameter lines until zipl has run")


class Layout(NamedTuple):
    """How boot parameters are managed here.

    `sources` are the files that are read. `commit` are the programs that make the next IPL use the
    files, in order. `seen` are the marks that told the layout; `refusal` says why nothing here may be changed.
    """

    name: str
    description: str
    inheritance: Inheritance
    commit: tuple[Program, ...] = (ZIPL,)
    sources: Sources = Sources()
    seen: tuple[str, ...] = ()
    refusal: str | None = None
    hint: str | None = None

    def needs_commit(self, path: str) -> bool:
        """Whether a change of this file counts only when the layout's programs have run.

        What only the installation of a later kernel reads needs none.
        """
        return self.inheritance is not Inheritance.KERNEL_CMDLINE or path not in self.sources.reads

    def require_editable(self) -> None:
        """Raise RefusedError when it is not known whose boot files these are."""
        if self.refusal is not None:
            raise RefusedError(self.refusal, hint=self.hint)


class Tree(Protocol):
    """What a layout may ask of the tree that it is to recognise."""

    @property
    def has_bls(self) -> bool:
        """Whether there are BLS entries."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is anything under the path."""
        ...

    def is_like(self, *names: str) -> str | None:
        """Which of the names os-release gives as ``ID``, or lists as ``ID_LIKE``; else None."""
        ...

    @property
    def major_version(self) -> int | None:
        """The number that ``VERSION_ID`` of os-release begins with."""
        ...


class LayoutModule(Protocol):
    """What each module of a layout has."""

    NAME: str

    def evidence(self, tree: Tree, /) -> tuple[str, ...]:
        """The marks of this layout in the tree, as a person would check them; none, no layout."""
        ...

    def layout(self, tree: Tree, /) -> Layout:
        """The layout as this tree has it."""
        ...


def marks(tree: Tree, *paths: str) -> tuple[str, ...]:
    """Those of the paths that exist."""
    return tuple(path for path in paths if tree.exists(path))
