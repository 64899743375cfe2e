"""Where profiles are found: the site's, the distribution's, then those that come with secboot.

The last lie beside the package's modules, in ``secboot/profiles`` of an installed wheel or a zip
application, and in the checkout's own ``profiles`` folder. They are read through the package's
loader, which knows all three; ``importlib.resources`` would cost more time than all else that
``secboot plan`` imports.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import secboot
from secboot.errors import RefusedError, UsageError
from secboot.invocation import Invocation
from secboot.named_tuple import NamedTuple
from secboot.profile.fields import PROFILE_NAME_PATTERN, closest
from secboot.profile.profile import ProfileText

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from secboot.profile.profile import Profile

SHIPPED = ("host", "host-off", "guest", "guest-large", "guest-secure", "guest-off")
"""Their names, in the order in which they are listed."""
SEARCH_PATH = ("/etc/secboot/profiles", "/usr/share/secboot/profiles")
"""Directories, both inside the root; a name in an earlier one hides the same in a later one."""
SUFFIX = ".yaml"
SUFFIXES = (SUFFIX, ".yml")
"""Of two files that differ in nothing else, the first is used."""


class ProfileFiles(Protocol):
    """How profiles are reached: the caller decides what tree the paths are in."""

    def read_text(self, path: str) -> str | None:
        """The content, UTF-8 with surrogate escapes; None if there is no such file.

        Any other failure raises a SecbootError.
        """

    def read_beside(self, path: str, name: str) -> ProfileText | None:
        """The file of this name in the directory of the profile `path` that was read through this.

        None where there is none, or where nothing can be beside it. Failures as above.
        """

    def list_names(self, directory: str) -> tuple[str, ...]:
        """The names in a directory; none if there is no such directory."""


def reference_to(profile: Profile) -> str:
    """Return how a person names a profile that was read: by name where it is found by it, or by path."""
    places = _paths(profile.name)
    return profile.name if profile.path in {*places, shipped_path(profile.name)} else profile.path


def is_path(reference: str) -> bool:
    """Whether a person means a file, which has a ``/`` or ends as one of a profile does."""
    return "/" in reference or reference.endswith(SUFFIXES)


def name_of(path: str) -> str:
    """The name of the profile in a file."""
    name = path.rpartition("/")[2]
    return next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)


def invocation_for(profile: Profile, root: str) -> Invocation:
    """Return how a person names a profile, or what was said in its place, and its root."""
    return Invocation.on(root, reference_to(profile), profile.words)


def find_profile(reference: str, files: ProfileFiles) -> ProfileText:
    """Find what a person calls a profile: a name, or a path (`is_path`).

    Raises UsageError where there is none, with the name that was probably meant.
    """
    if is_path(reference):
        text = files.read_text(reference)
        if text is None:
            raise UsageError(f"there is no profile file {reference}")
        return ProfileText(name_of(reference), reference, text)
    found = find_by_name(reference, files, ())
    if found is None:
        known = dict.fromkeys(each.name for each in _candidates(files))
        raise UsageError(
            f"there is no profile {reference!r} in {', '.join(SEARCH_PATH)} or in secboot itself",
            hint=closest(reference, known),
        )
    return found


def find_by_name(name: str, files: ProfileFiles, without: Collection[str]) -> ProfileText | None:
    """The first profile of this name in the search order whose path isn't one of `without`."""
    if not re.fullmatch(PROFILE_NAME_PATTERN, name):
        return None
    for path in _paths(name):
        text = files.read_text(path) if path not in without else None
        if text is not None:
            return ProfileText(name, path, text)
    path = shipped_path(name)
    text = shipped_text(name) if path not in without else None
    return ProfileText(name, path, text) if text is not None else None


def find_extended(
    wanted: str, by: ProfileText, files: ProfileFiles, without: Collection[str]
) -> ProfileText | None:
    """The profile that `by` extends: a file beside it, or else one of this name in the search order.

    So a directory of profiles means the same before it is copied to a machine and there. In a
    directory that is searched the search order holds.
    """
    names = [f"{wanted}{suffix}" for suffix in SUFFIXES]
    if is_path(wanted):
        names = [wanted.removeprefix("./")]
    elif by.path.rpartition("/")[0] in SEARCH_PATH:
        names = []
    for name in names:
        found = files.read_beside(by.path, name)
        if found is not None and found.path not in without:
            return found
    return None if is_path(wanted) else find_by_name(wanted, files, without)


def _paths(name: str) -> Iterator[str]:
    """Where a profile of this name is looked for."""
    return (f"{directory}/{name}{suffix}" for directory in SEARCH_PATH for suffix in SUFFIXES)


class Candidate(NamedTuple):
    """A profile's name and path; `hidden` if the same name comes earlier in the search."""

    name: str
    path: str
    hidden: bool


def available_profiles(files: ProfileFiles) -> tuple[Candidate, ...]:
    """All profiles that there are, in search order, without reading them."""
    seen: set[str] = set()
    result = []
    for each in _candidates(files):
        result.append(Candidate(each.name, each.path, each.name in seen))
        seen.add(each.name)
    return tuple(result)


def _candidates(files: ProfileFiles) -> Iterator[Candidate]:
    for directory in SEARCH_PATH:
        for entry in sorted(files.list_names(directory)):
            name = name_of(entry)
            if name != entry and re.fullmatch(PROFILE_NAME_PATTERN, name):
                yield Candidate(name, f"{directory}/{entry}", hidden=False)
    for name in SHIPPED:
        yield Candidate(name, shipped_path(name), hidden=False)


@runtime_checkable
class _DataLoader(Protocol):
    """What the loaders of files and of zip archives have in common."""

    def get_data(self, path: str) -> bytes:
        """The content of a file; OSError if there is none."""


def shipped_path(name: str) -> str:
    """What stands for the path of a shipped profile in messages."""
    return f"<shipped>/{name}.yaml"


def shipped_text(name: str) -> str | None:
    """The text of a shipped profile, or None if there is none of that name."""
    if name not in SHIPPED:
        return None
    loader = getattr(secboot, "__loader__", None)
    package = Path(secboot.__file__).parent
    for folder in (package, package.parent):
        if isinstance(loader, _DataLoader):
            try:
                return loader.get_data(str(folder / "profiles" / f"{name}.yaml")).decode()
            except OSError:
                continue
    raise RefusedError(
        f"the shipped profile {name!r} is missing: secboot is not installed completely",
        hint="install secboot again",
    )
