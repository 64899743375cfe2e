"""Where profiles are found: the site's, then the distribution's, then those shipped with secboot.

Shipped profiles are next to the package's modules: in ``secboot/profiles`` of an installed wheel or
zip application, and in the ``profiles`` folder of a checkout. They are read through the package's
loader, which supports all three; importing ``importlib.resources`` would take more time than all
other imports of ``secboot plan``.
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
"""The names of the shipped profiles, in the order in which they are listed."""
SEARCH_PATH = ("/etc/secboot/profiles", "/usr/share/secboot/profiles")
"""Directories, both inside the root; a name in the first hides the same name in the second."""
SUFFIX = ".yaml"
SUFFIXES = (SUFFIX, ".yml")
"""If two files differ only in this suffix, the first is used."""


class ProfileFiles(Protocol):
    """Access to profiles; the caller decides which tree the paths are in."""

    def read_text(self, path: str) -> str | None:
        """Return the content, UTF-8 with surrogate escapes; None if the file does not exist.

        Any other failure raises a SecbootError.
        """

    def read_beside(self, path: str, name: str) -> ProfileText | None:
        """Return the file with this name in the directory of the profile `path`, which was read here.

        None if it does not exist, or if the profile has no directory. Failures as above.
        """

    def list_names(self, directory: str) -> tuple[str, ...]:
        """Return the names in a directory; empty if it does not exist."""


def reference_to(profile: Profile) -> str:
    """Return how to name a profile: by its name if that finds it, otherwise by its path."""
    places = _paths(profile.name)
    return profile.name if profile.path in {*places, shipped_path(profile.name)} else profile.path


def is_path(reference: str) -> bool:
    """Whether a reference means a file: it contains a ``/`` or has a profile's suffix."""
    return "/" in reference or reference.endswith(SUFFIXES)


def name_of(path: str) -> str:
    """Return the name of the profile in a file."""
    name = path.rpartition("/")[2]
    return next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)


def invocation_for(profile: Profile, root: str) -> Invocation:
    """Return how to name a profile, or the words used in its place, and its root."""
    return Invocation.on(root, reference_to(profile), profile.words)


def find_profile(reference: str, files: ProfileFiles) -> ProfileText:
    """Find a profile by its name or path (`is_path`).

    Raises UsageError if it is not found, with the name that was probably meant.
    """
    if is_path(reference):
        text = files.read_text(reference)
        if text is None:
            raise UsageError(f"profile file {reference} not found")
        return ProfileText(name_of(reference), reference, text)
    found = find_by_name(reference, files, ())
    if found is None:
        known = dict.fromkeys(each.name for each in _candidates(files))
        raise UsageError(
            f"profile {reference!r} not found; searched {', '.join(SEARCH_PATH)} and the shipped"
            " profiles",
            hint=closest(reference, known, "available"),
        )
    return found


def find_by_name(name: str, files: ProfileFiles, without: Collection[str]) -> ProfileText | None:
    """Return the first profile with this name in the search order, except those in `without`."""
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
    """Return the profile that `by` extends: a file next to it, or one from the search order.

    So a directory of profiles means the same before and after it is copied to a machine. In a
    directory of the search path, the search order applies.
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
    """Return the paths at which a profile with this name is searched for."""
    return (f"{directory}/{name}{suffix}" for directory in SEARCH_PATH for suffix in SUFFIXES)


class Candidate(NamedTuple):
    """A profile's name and path; `hidden` if the search finds the same name earlier."""

    name: str
    path: str
    hidden: bool


def available_profiles(files: ProfileFiles) -> tuple[Candidate, ...]:
    """Return all available profiles, in search order, without reading them."""
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
    """The part that loaders of files and of zip archives have in common."""

    def get_data(self, path: str) -> bytes:
        """Return the content of a file; OSError if it does not exist."""


def shipped_path(name: str) -> str:
    """Return the path of a shipped profile as messages show it."""
    return f"<shipped>/{name}.yaml"


def shipped_text(name: str) -> str | None:
    """Return the text of a shipped profile, or None if no shipped profile has that name."""
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
        f"the shipped profile {name!r} is missing: the installation of secboot is incomplete",
        hint="reinstall secboot",
    )
