"""The files that a way to configure the boot has, besides those that zipl looks for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from secboot.named_tuple import NamedTuple
from secboot.zipl.version import BlsOrder

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine
    from secboot.profile.profile import ImagePaths
    from secboot.zipl.configuration import ConfFile

Parser = Callable[[str, str], object]
"""Makes a document of a text; its path is for messages."""
NamedIn = Callable[[Mapping[str, object]], tuple[str, ...]]
"""Gives the paths that documents name, each found by its own path."""


@runtime_checkable
class ParameterFile(Protocol):
    """The document of a file that holds parameter lines, each under a name or as the only one."""

    def with_lines(self, lines: Mapping[str, CommandLine]) -> ParameterFile:
        """Return the file with other lines by name, the only one's is empty.

        Only the bytes that must change do. Raises RefusedError where the file can't hold a line.
        """
        ...

    def render(self) -> str:
        """Return the text of the file."""
        ...


class Unreadable(NamedTuple):
    """In the place of the document of a generated file that may not be read."""

    reason: str


class Sources(NamedTuple):
    """Which files a way to configure the boot has besides those that zipl looks for itself.

    `reads` are files that hold parameters, `derived` are generated from such, both by path with
    what makes a document of their text (None where the text is all); those that exist are read.
    `conf_path` is zipl's configuration where that is not the one that zipl looks for itself.
    `generated` says that zipl's files are written by another program and not to be edited;
    `otherwise` is the configuration that comes with such a system where it is in no file here, or that
    its boot entries are written for.
    `order` is that in which this system's zipl sorts BLS entries. `kernels` are directories with
    kernels that something else than zipl starts. `named` gives the paths of other files whose
    existence matters, from the documents of these, and `images` those of the kernels that something
    else than zipl starts. `image` is the Secure Execution image that the profile is about.
    `later_kernels` says that it is known what a kernel gets that is installed later, so that an image
    can be prepared before its first one. `first` says that the tree is to get its first
    configuration, and is taken without one.
    """

    reads: Mapping[str, Parser | None] = MappingProxyType({})
    derived: Mapping[str, Parser] = MappingProxyType({})
    conf_path: str | None = None
    generated: bool = False
    otherwise: ConfFile | None = None
    order: BlsOrder = BlsOrder.UPSTREAM
    kernels: tuple[str, ...] = ()
    named: NamedIn = lambda _: ()
    images: NamedIn = lambda _: ()
    image: ImagePaths | None = None
    later_kernels: bool = False
    first: bool = False


NO_OTHERS = Sources()
"""Those of a machine that only has zipl's own files."""
