"""The files of a layout, in addition to those that zipl looks for itself."""

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
"""Parses a text to a document; the path is for messages."""
NamedIn = Callable[[Mapping[str, object]], tuple[str, ...]]
"""Returns the paths that documents name; the key of a document is its path."""


@runtime_checkable
class ParameterFile(Protocol):
    """The document of a file with parameter lines: named ones, or a single one."""

    def with_lines(self, lines: Mapping[str, CommandLine]) -> ParameterFile:
        """Return the file with other lines, by name; a single line has the name "".

        Only the necessary bytes change. Raises RefusedError if the file can't hold a line.
        """
        ...

    def render(self) -> str:
        """Return the text of the file."""
        ...


class Unreadable(NamedTuple):
    """Replaces the document of a generated file that can't be read."""

    reason: str


class Unclear(NamedTuple):
    """Why it is unknown which system the boot files belong to, and a hint about what to do."""

    reason: str
    hint: str


class Sources(NamedTuple):
    """The files of a layout, in addition to those that zipl looks for itself.

    `reads` are files with parameters, `derived` are generated from these; both map paths to parsers
    (None if the text is enough). Those that exist are read. `conf_path` is zipl's configuration, if
    it is not one that zipl looks for itself. `generated` means that another program writes zipl's
    files and they must not be edited; `otherwise` is the configuration of such a system if it is not
    in a file here, or the one that its boot entries are written for. `order` is the order of BLS
    entries in this system's zipl. `kernels` are directories with kernels that something other than
    zipl starts. From the documents, `named` returns the paths of other files whose existence
    matters, and `images` the kernels that something other than zipl starts. `image` is the Secure
    Execution image that the profile names. `later_kernels` means that it is known what a future
    kernel gets, so that an image can be prepared before its first kernel. `first` means that the
    tree will get its first configuration, so it is accepted without one. `unclear` says why the
    layout is unknown: without a configuration, nothing is known about such a tree.
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
    unclear: Unclear | None = None


NO_OTHERS = Sources()
"""The sources of a machine that only has zipl's own files."""
