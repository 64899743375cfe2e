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


class ProfileFiles(Protocol):
    """How profiles are reached: the caller decides what tree the paths are in."""

    def read_text(self, path: str) -> str | None:
        """The content, UTF-8 with surrogate escapes; None if there is no such file.

        Any other failure raises a SecbootError.
        """

    def list_names(self, directory: str) -> tuple[str, ...]:
        """The names in a directory; none if there is no such directory."""


def reference_to(profile: Profile) -> str:
    """Return how a person names a profile that was read: by name where it is found by it, or by path."""
    places = (f"{directory}/{profile.name}{SUFFIX}" for directory in SEARCH_PATH)
    return profile.name if profile.path in {*places, shipped_path(profile.name)} else profile.path


def find_profile(reference: str, files: ProfileFiles) -> ProfileText:
    """Find what a person calls a profile: a name, or a path, which has a ``/`` or ``.yaml``.

    Raises UsageError where there is none, with the name that was probably meant.
    """
    if "/" in reference or reference.endswith(SUFFIX):
        text = files.read_text(reference)
        if text is None:
            raise UsageError(f"there is no profile file {reference}")
        name = reference.rsplit("/", 1)[-1].removesuffix(SUFFIX)
        return ProfileText(name, reference, text)
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
    for directory in SEARCH_PATH:
        path = f"{directory}/{name}{SUFFIX}"
        text = files.read_text(path) if path not in without else None
        if text is not None:
            return ProfileText(name, path, text)
    path = shipped_path(name)
    text = shipped_text(name) if path not in without else None
    return ProfileText(name, path, text) if text is not None else None


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
            name = entry.removesuffix(SUFFIX)
            if entry.endswith(SUFFIX) and re.fullmatch(PROFILE_NAME_PATTERN, name):
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
