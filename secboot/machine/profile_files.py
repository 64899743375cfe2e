"""Access to profiles: the machine's profiles in its root, and profiles named by path outside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from secboot.errors import Location, UsageError
from secboot.formats.text import decoded
from secboot.profile.load import load_profile, parse_profile
from secboot.profile.profile import ProfileText
from secboot.profile.search import SEARCH_PATH, is_path, name_of
from secboot.system.file_errors import NotFoundError
from secboot.visible import shell_word, visible

if TYPE_CHECKING:
    from secboot.profile.profile import Profile
    from secboot.system.root import Root

_SAVED_PLAN = b'"secboot/saved-plan/'
PROFILE_LIMIT = 2**20
"""In bytes; a profile is a page of text."""


class RootProfileFiles:
    """The profiles in the directories of the root (`secboot.profile.search.ProfileFiles`)."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def read_text(self, path: str) -> str | None:
        """Return the text of a file, or None if it does not exist."""
        try:
            return decoded(self._root.read_bytes(path, PROFILE_LIMIT))
        except NotFoundError:
            return None

    def read_beside(self, path: str, name: str) -> ProfileText | None:
        """Return the file with this name next to a file in these directories."""
        directory = path.rpartition("/")[0]
        text = self.read_text(f"{directory}/{name}") if directory in SEARCH_PATH else None
        return None if text is None else ProfileText(name_of(name), f"{directory}/{name}", text)

    def list_names(self, directory: str) -> tuple[str, ...]:
        """Return the names in a directory; empty if it does not exist."""
        status = self._root.stat(directory)
        if status is None or not status.is_directory:
            return ()
        return self._root.list_directory(directory)


class _BesidePath(RootProfileFiles):
    """The same, and the files next to a profile of this machine that was named by its path."""

    def __init__(self, root: Root, path: str) -> None:
        super().__init__(root)
        self._own = {path}

    def read_beside(self, path: str, name: str) -> ProfileText | None:
        """Return a file of this machine next to another one."""
        if path not in self._own:
            return super().read_beside(path, name)
        directory, slash, _ = path.rpartition("/")
        found = f"{directory}{slash}{name}"
        text = self._read(path, found)
        if text is None:
            return None
        self._own.add(found)
        return ProfileText(name_of(name), found, text)

    def _read(self, path: str, found: str) -> str | None:
        if not os.path.lexists(found):
            return None
        text = _read_path(found)
        # In /tmp anybody can put a file, or a link to root's file, next to somebody else's file.
        owners = {Path(found).stat().st_uid, Path(found).lstat().st_uid}
        if owners - {0, Path(path).stat().st_uid}:
            raise UsageError(
                "this file and the profile that extends it have different owners",
                location=Location(visible(found)),
                hint=f"if you trust it, change its owner: chown -h --reference={shell_word(path)}"
                f" {shell_word(found)}",
            )
        return text


class _BesideSaved(_BesidePath):
    """The same with texts that were read before: no path is followed."""

    def __init__(self, root: Root, path: str, texts: tuple[ProfileText, ...]) -> None:
        super().__init__(root, path)
        self._texts = {each.path: each.text for each in texts}

    def _read(self, path: str, found: str) -> str | None:
        del path
        return self._texts.get(found)


def is_name(reference: str) -> bool:
    """Whether a reference is the name of a profile, not the path of its file."""
    return not is_path(reference)


def read_profile(reference: str, root: Root) -> Profile:
    """Read the profile that the user names: by name in the search path, or by path.

    A path is always one of this machine, whatever the root directory, because it was typed here. A
    profile that it extends is next to it, or in the search path. Raises UsageError, ProfileError.
    """
    if not is_path(reference):
        return load_profile(reference, RootProfileFiles(root))
    source = ProfileText(name_of(reference), reference, _read_path(reference))
    return parse_profile(source, _BesidePath(root, reference))


def reread_profile(reference: str, texts: tuple[ProfileText, ...], root: Root) -> Profile:
    """Read a profile again that had these texts when it was first read, its own text first.

    A name refers to the machine's present profile. A path is not followed: its texts are used.
    """
    if not is_path(reference):
        return load_profile(reference, RootProfileFiles(root))
    source = ProfileText(name_of(reference), reference, texts[0].text)
    return parse_profile(source, _BesideSaved(root, reference, texts))


def _require_shared(status: os.stat_result, reference: str) -> None:
    """Refuse a file that the caller can't read without secboot: errors quote parts of a profile."""
    from secboot.system.trusted import is_shared  # noqa: PLC0415 - most profiles come with secboot

    if not is_shared(status):
        raise UsageError(
            "only its owner can read this file, so secboot does not read it as a profile",
            location=Location(visible(reference)),
            hint="a profile has no secrets: keep it in a file that everybody can read",
        )


def _read_path(reference: str) -> str:
    path = Path(reference)
    try:
        if not path.is_file():
            problem = "not a regular file" if path.exists() else "file not found"
            raise UsageError(
                f"the profile can't be read: {problem}",
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
            hint="give it a name that ends in .plan or .json, so that `secboot apply` recognises it",
        )
    return decoded(data)
