"""A profile: the parameters that a role needs, and the boot entries that they apply to."""

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
    """The entries that the selection starts from."""

    ALL = "all"
    DEFAULT = "default"
    NONE = "none"
    """Only the parmfile of an image is to change."""


class EntrySelection(NamedTuple):
    """Every entry, the default one, or none, narrowed by the patterns and by `rescue`.

    `include` and `exclude` match an entry's name, which is its section in zipl.conf or its title in
    a BLS entry, with ``*`` and ``?``. Case matters. Brackets match themselves, because titles
    contain them. An empty `include` includes every entry. `rescue` False excludes rescue entries.
    """

    scope: EntryScope = EntryScope.ALL
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rescue: bool = True

    def judge(self, name: str, *, is_default: bool, is_rescue: bool) -> bool:
        """Tell whether the profile applies to this entry."""
        return self.why_not(name, is_default=is_default, is_rescue=is_rescue) is None

    def why_not(self, name: str, *, is_default: bool, is_rescue: bool) -> str | None:
        """Return why the profile does not apply to an entry, or None if it does."""
        if self.scope is EntryScope.NONE:
            return "the profile applies only to its image, not to boot entries"
        if self.scope is EntryScope.DEFAULT and not is_default:
            return "the profile applies only to the default entry"
        if is_rescue and not self.rescue:
            return "the profile excludes rescue entries"
        if self.include and not any(_matches(name, each) for each in self.include):
            return "not included by the profile"
        excluding = next((each for each in self.exclude if _matches(name, each)), None)
        return f"the profile excludes {excluding!r}" if excluding is not None else None

    def unmatched(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the `include` and `exclude` patterns that match none of these names."""
        return tuple(
            pattern
            for pattern in (*self.include, *self.exclude)
            if not any(_matches(name, pattern) for name in names)
        )

    def describe(self) -> str:
        """Name the selected entries: ``all entries except 'old*', rescue entries``."""
        chosen = {
            EntryScope.ALL: "all entries",
            EntryScope.DEFAULT: "the default entry",
            EntryScope.NONE: "no entry",
        }[self.scope]
        if self.include:
            chosen = "entries " + ", ".join(map(repr, self.include))
        left_out = [repr(each) for each in self.exclude] + ["rescue entries"] * (not self.rescue)
        return f"{chosen} except {', '.join(left_out)}" if left_out else chosen


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))


class PlacedPath(NamedTuple):
    """A path, and where a profile names it."""

    path: str
    location: Location


class ImagePaths(NamedTuple):
    """The files of a Secure Execution image, by their paths in the managed root.

    `parmfile` holds the image's parameter line, `output` is the image itself. `kernel` and `ramdisk`
    are what it is built from; None means those of a boot entry. `location` is where the profile names
    the parmfile, `places` where it names each file.
    """

    parmfile: str
    output: str
    kernel: str | None
    ramdisk: str | None
    location: Location
    places: tuple[PlacedPath, ...] = ()

    def place(self, path: str) -> Location:
        """Return where the profile names one of these files."""
        found = (each.location for each in self.places if each.path == path)
        return next(found, self.location)


def is_named_as_parmfile(path: str) -> bool:
    """Whether a file has a name that is usual for a parmfile."""
    name = path.rpartition("/")[2].lower()
    return any(part in name for part in ("parm", "param", "cmdline"))


class ProfileText(NamedTuple):
    """A profile that was found: its name, its path as messages show it, and its content."""

    name: str
    path: str
    text: str


class Profile(NamedTuple):
    """A profile as read, merged with all profiles that it extends.

    `path` is its file, or `secboot.profile.search.shipped_path`. `sources` are all texts that it is
    made of, its own first, then those that it extends; `digest` is the SHA-256 over these texts, in
    hexadecimal. `warnings` are to be shown before use. `memory` is that of the machines that it is
    for, in bytes; None is unknown. `image` are the files of its Secure Execution image, if any.
    `words` are the command line's words if they stand in for a file (`secboot.profile.words`).
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
        """Return the warnings for a machine with this much memory, in bytes, and lines that meet this.

        If `memory` is None, the profile's own `memory` is used.
        """
        assumed = () if self.memory is None else costs(self.requirements, self.memory)
        memory = self.memory if memory is None else memory
        kept = (each for each in self.warnings if each not in assumed)
        return (*kept, *(() if memory is None else costs(self.requirements, memory, lines)))

    @property
    def chain(self) -> tuple[str, ...]:
        """The paths of its sources."""
        return tuple(source.path for source in self.sources)
