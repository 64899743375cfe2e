"""A profile: the parameters that a role needs, for which boot entries."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.profile.requirement import Role, costs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.errors import Location
    from secboot.finding import Finding
    from secboot.formats.kernel_cmdline import CommandLine
    from secboot.profile.requirement import Requirement


class EntryScope(StrEnum):
    """What the selection starts from."""

    ALL = "all"
    DEFAULT = "default"
    NONE = "none"
    """Only the parmfile of an image is asked for."""


class EntrySelection(NamedTuple):
    """Every entry, the default one, or none, narrowed by the patterns and by `rescue`.

    `include` and `exclude` match an entry's name, which is its section in zipl.conf or its
    title in a BLS entry, with ``*`` and ``?`` and letter case as it is; brackets mean
    themselves, since titles have them. An empty `include` lets every entry in. `rescue` False
    leaves rescue entries out.
    """

    scope: EntryScope = EntryScope.ALL
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rescue: bool = True

    def judge(self, name: str, *, is_default: bool, is_rescue: bool) -> bool:
        """Tell whether the profile is for this entry."""
        return self.why_not(name, is_default=is_default, is_rescue=is_rescue) is None

    def why_not(self, name: str, *, is_default: bool, is_rescue: bool) -> str | None:
        """Say why the profile leaves an entry alone, or None if it is for it."""
        if self.scope is EntryScope.NONE:
            return "the profile is for no boot entry, only for the image that it names"
        if self.scope is EntryScope.DEFAULT and not is_default:
            return "the profile is for the default entry only"
        if is_rescue and not self.rescue:
            return "the profile leaves rescue entries alone"
        if self.include and not any(_matches(name, each) for each in self.include):
            return "the profile does not include it"
        excluding = next((each for each in self.exclude if _matches(name, each)), None)
        return f"the profile excludes {excluding!r}" if excluding is not None else None

    def unmatched(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The `include` and `exclude` patterns that match none of these names."""
        return tuple(
            pattern
            for pattern in (*self.include, *self.exclude)
            if not any(_matches(name, pattern) for name in names)
        )

    def describe(self) -> str:
        """Say which entries those are: ``all entries but 'old*' and rescue entries``."""
        chosen = {
            EntryScope.ALL: "all entries",
            EntryScope.DEFAULT: "the default entry",
            EntryScope.NONE: "no entry",
        }[self.scope]
        if self.include:
            chosen = "entries " + ", ".join(map(repr, self.include))
        left_out = [repr(each) for each in self.exclude] + ["rescue entries"] * (not self.rescue)
        return f"{chosen} but {', '.join(left_out)}" if left_out else chosen


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))


class ImagePaths(NamedTuple):
    """The files of a Secure Execution image, by their paths in the managed root.

    `parmfile` holds the parameter line that goes into it, `output` is the image itself. `kernel`
    and `ramdisk` are what it is built from, None for those of a boot entry. `location` is where
    the profile names the parmfile.
    """

    parmfile: str
    output: str
    kernel: str | None
    ramdisk: str | None
    location: Location


def is_named_as_parmfile(path: str) -> bool:
    """Whether a file is called as parmfiles are."""
    name = path.rpartition("/")[2].lower()
    return any(part in name for part in ("parm", "param", "cmdline"))


class ProfileText(NamedTuple):
    """A profile that was found: its name, its path as messages show it, and its text."""

    name: str
    path: str
    text: str


class Profile(NamedTuple):
    """A profile as read, with all that it extends.

    `path` is where its text is, or `secboot.profile.search.shipped_path`. `sources` are all texts
    that it is made of, its own first, then what that extends; `digest` is a SHA-256 in hexadecimal
    over these texts. `warnings` are for a person to see before use. `memory` is that of the machines
    that it is for, in bytes; None is not known. `image` are the files of the
    Secure Execution image that it is about, if there is one. `words` are those that were said
    instead of a file (`secboot.profile.words`).
    """

    name: str
    version: int
    role: Role | None
    description: str
    requirements: tuple[Requirement, ...]
    entries: EntrySelection
    path: str
    digest: str
    sources: tuple[ProfileText, ...]
    warnings: tuple[Finding, ...]
    memory: int | None = None
    image: ImagePaths | None = None
    words: tuple[str, ...] = ()

    def warnings_for(self, memory: int | None, lines: Sequence[CommandLine]) -> tuple[Finding, ...]:
        """Return the warnings for a machine with so many bytes of memory and lines that meet this.

        A memory that is not known, None, is that of the profile.
        """
        assumed = () if self.memory is None else costs(self.requirements, self.memory)
        memory = self.memory if memory is None else memory
        kept = (each for each in self.warnings if each not in assumed)
        return (*kept, *(() if memory is None else costs(self.requirements, memory, lines)))

    @property
    def chain(self) -> tuple[str, ...]:
        """The paths of its texts."""
        return tuple(source.path for source in self.sources)
