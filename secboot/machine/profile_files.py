"""How profiles are reached: those of the machine inside its root, those named by path outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from secboot.errors import Location, UsageError
from secboot.formats.text import decoded
from secboot.profile.load import load_profile, parse_profile
from secboot.profile.profile import ProfileText
from secboot.profile.search import SUFFIX
from secboot.system.file_errors import NotFoundError
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.profile.profile import Profile
    from secboot.system.root import Root

_SAVED_PLAN = b'"secboot/saved-plan/'
PROFILE_LIMIT = 2**20
"""Bytes; a profile is a page of text."""


class RootProfileFiles:
    """The profiles in the directories of the root (`secboot.profile.search.ProfileFiles`)."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def read_text(self, path: str) -> str | None:
        """Return a file's text, or None where there is none."""
        try:
            return decoded(self._root.read_bytes(path, PROFILE_LIMIT))
        except NotFoundError:
            return None

    def list_names(self, directory: str) -> tuple[str, ...]:
        """Return the names in a directory, none where it is missing."""
        status = self._root.stat(directory)
        if status is None or not status.is_directory:
            return ()
        return self._root.list_directory(directory)


def is_name(reference: str) -> bool:
    """Whether a reference is a profile's name, and not the path of its file."""
    return "/" not in reference and not reference.endswith(SUFFIX)


def read_profile(reference: str, root: Root) -> Profile:
    """Read the profile that a person names: by name in the search path, or by path.

    A path is one of this machine's, wherever the root is: it was typed here. What that profile
    extends is looked up by name. Raises UsageError and ProfileError.
    """
    files = RootProfileFiles(root)
    if not _is_path(reference):
        return load_profile(reference, files)
    return parse_profile(ProfileText(_name(reference), reference, _read_path(reference)), files)


def reread_profile(reference: str, text: str, root: Root) -> Profile:
    """Read a profile again that had this text when it was read.

    A name leads to what the machine has now. No path is followed: what it led to is the text.
    """
    files = RootProfileFiles(root)
    if not _is_path(reference):
        return load_profile(reference, files)
    return parse_profile(ProfileText(_name(reference), reference, text), files)


def _require_shared(status: os.stat_result, reference: str) -> None:
    """Refuse what the caller could not read without us: errors repeat parts of a profile."""
    from secboot.system.trusted import is_shared  # noqa: PLC0415 - most profiles come with secboot

    if not is_shared(status):
        raise UsageError(
            "only its owner may read this file, so its content is not taken for a profile",
            location=Location(visible(reference)),
            hint="a profile holds no secrets: keep it in a file that everybody may read",
        )


def _is_path(reference: str) -> bool:
    return "/" in reference or reference.endswith(SUFFIX)


def _name(path: str) -> str:
    return Path(path).name.removesuffix(SUFFIX)


def _read_path(reference: str) -> str:
    path = Path(reference)
    try:
        if not path.is_file():
            problem = "this is no regular file" if path.exists() else "there is no such file"
            raise UsageError(
                f"{problem}, so no profile can be read from it",
                location=Location(visible(reference)),
                hint="`secboot profile list` shows the profiles that can be used by name",
            )
        with path.open("rb") as file:
            _require_shared(os.fstat(file.fileno()), reference)
            data = file.read(PROFILE_LIMIT + 1)
    except OSError as error:
        raise UsageError(
            f"the profile can't be read: {error.strerror}", location=Location(visible(reference))
        ) from error
    if len(data) > PROFILE_LIMIT:
        raise UsageError(
            f"the file is larger than {PROFILE_LIMIT} bytes: not a profile",
            location=Location(visible(reference)),
        )
    if data.startswith(b"{") and _SAVED_PLAN in data[:80]:
        raise UsageError(
            "this is a saved plan, not a profile",
            location=Location(visible(reference)),
            hint="give it a name that ends in .plan or .json: `secboot apply` tells it by that",
        )
    return decoded(data)
