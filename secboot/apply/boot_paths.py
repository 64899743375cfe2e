"""Which files secboot changes on a machine: the only files that a checkpoint may name.

A checkpoint comes from the state directory, and may come with an image that somebody else made. A record
that names any other file, or a path that does not lead to the named boot file, is not acted upon.

The parmfile of a Secure Execution image is where a profile says. If the applied profile can be found by
its name, it decides. A profile that was given by its path cannot be found; then the record decides, but
only for a file that has the name of a parmfile and that nobody executes.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from secboot.errors import SecbootError
from secboot.formats.text import decoded
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import is_bls_entry
from secboot.machine.zipl_conf_file import ZIPL_CONF_PATHS
from secboot.profile.declared import DECLARED
from secboot.profile.profile import is_named_as_parmfile
from secboot.system.file_errors import FileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.checkpoint.record import Checkpoint, FileVersion, SavedFile
    from secboot.machine.sources import Sources
    from secboot.profile.profile import Profile
    from secboot.system.root import Root


_REBOOT_SETTING = re.compile(r"/sys/firmware/reipl/(?:ccw|eckd|fcp|nvme)/(?:loadparm|bootprog)")
_MODE = 0o666
"""The mode bits that the parmfile of an image may have."""
_LABELS = frozenset({"security.selinux", "system.posix_acl_access"})


def is_reboot_setting(path: str) -> bool:
    """Whether it is a re-IPL setting with which secboot chooses what a reboot starts."""
    return _REBOOT_SETTING.fullmatch(path) is not None


class BootPaths:
    """The paths of boot files in `root`, by its layout and by ``ZIPLCONF``."""

    def __init__(self, root: Root, sources: Sources, environment: Mapping[str, str] | None) -> None:
        self._root = root
        named = (environment or {}).get("ZIPLCONF")
        self._confs = {*ZIPL_CONF_PATHS, *filter(None, (sources.conf_path, named))}
        self._image = sources.image
        self._plain = {*self._confs, *sources.reads, ZIPLENV}

    def holds(self, checkpoint: Checkpoint, file: SavedFile) -> bool:
        """Whether secboot can have changed this file of a checkpoint here."""
        is_ours = self._is_named(file.named) or file.named == DECLARED
        if not (is_ours or self._is_of_image(checkpoint, file)):
            return False
        try:
            named = self._is_named(file.path) and file.named != DECLARED
            return named or self._root.real_path(file.named) == file.path
        except FileError:
            # A directory that was removed has no links.
            return file.path == file.named

    def _is_of_image(self, checkpoint: Checkpoint, file: SavedFile) -> bool:
        """Whether it can be the parmfile of the image that the applied profile names."""
        audit = checkpoint.record.audit
        if file.named != audit.parmfile or not all(map(_is_data, (file.before, file.after))):
            return False
        if self._image is not None and self._image.parmfile == file.named:
            return True
        profile = self._profile(audit.profile)
        if profile is not None and profile.image is not None:
            return profile.image.parmfile == file.named
        return is_named_as_parmfile(file.named)

    def _profile(self, name: str | None) -> Profile | None:
        """Return the profile of that name; None if it cannot be read."""
        from secboot.machine.profile_files import is_name, read_profile  # noqa: PLC0415 - rarely needed

        try:
            return read_profile(name, self._root) if name is not None and is_name(name) else None
        except SecbootError:
            return None

    def _is_named(self, path: str) -> bool:
        return path in self._plain or is_bls_entry(path) or path in self._parmfiles

    @cached_property
    def _parmfiles(self) -> frozenset[str]:
        """Return the parmfiles that zipl's configuration names."""
        found: set[str] = set()
        for path in self._confs:
            try:
                found |= _parmfiles_of(self._root.read_bytes(path))
            except FileError:
                continue
        return frozenset(found)


def _is_data(version: FileVersion | None) -> bool:
    """Whether nobody executes a file."""
    if version is None:
        return True
    rights, labels = version.attributes.mode, {name for name, _ in version.attributes.xattrs}
    return not rights & ~_MODE and labels <= _LABELS


def _parmfiles_of(conf: bytes) -> set[str]:
    """Return the parmfiles that a zipl.conf names, without load addresses (after a comma)."""
    document = ZiplConf.parse(decoded(conf))
    values = {section.value(Keyword.PARMFILE) or "" for section in document.sections}
    names = values | {value.partition(",")[0] for value in values}
    # zipl runs in the root directory, so a relative name is relative to that.
    return names | {f"/{name}" for name in names if not name.startswith("/")}
