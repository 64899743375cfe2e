"""Which files secboot changes on a machine: what a checkpoint may name, and nothing besides.

A checkpoint comes from the state directory, and with an image that somebody else made. A record that
names another file, or a boot file's name for a path that does not lead there, is not acted upon.

The parmfile of a Secure Execution image lies where a profile says. The profile that was applied is
asked where it can be found by its name; one that was named by its path can't. Then the record's own
word counts for a file that is called as parmfiles are, and that is data which nobody executes.
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
"""What of its rights the parmfile of an image may have."""
_LABELS = frozenset({"security.selinux", "system.posix_acl_access"})


def is_reboot_setting(path: str) -> bool:
    """Whether it is one of the re-IPL settings by which secboot chooses what a reboot starts."""
    return _REBOOT_SETTING.fullmatch(path) is not None


class BootPaths:
    """The paths of boot files in `root`, as its layout has them and a user's ``ZIPLCONF`` names."""

    def __init__(self, root: Root, sources: Sources, environment: Mapping[str, str] | None) -> None:
        self._root = root
        named = (environment or {}).get("ZIPLCONF")
        self._confs = {*ZIPL_CONF_PATHS, *filter(None, (sources.conf_path, named))}
        self._image = sources.image
        self._plain = {*self._confs, *sources.reads, ZIPLENV}

    def holds(self, checkpoint: Checkpoint, file: SavedFile) -> bool:
        """Whether this file of a checkpoint is one that secboot can have changed here."""
        is_ours = self._is_named(file.named) or file.named == DECLARED
        if not (is_ours or self._is_of_image(checkpoint, file)):
            return False
        try:
            named = self._is_named(file.path) and file.named != DECLARED
            return named or self._root.real_path(file.named) == file.path
        except FileError:
            # A directory that is gone has no links any more.
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
        """The profile of that name; None where it can't be read."""
        from secboot.machine.profile_files import is_name, read_profile  # noqa: PLC0415 - for few

        try:
            return read_profile(name, self._root) if name is not None and is_name(name) else None
        except SecbootError:
            return None

    def _is_named(self, path: str) -> bool:
        return path in self._plain or is_bls_entry(path) or path in self._parmfiles

    @cached_property
    def _parmfiles(self) -> frozenset[str]:
        """What zipl's configuration names."""
        found: set[str] = set()
        for path in self._confs:
            try:
                found |= _parmfiles_of(self._root.read_bytes(path))
            except FileError:
                continue
        return frozenset(found)


def _is_data(version: FileVersion | None) -> bool:
    """Whether a file is one that nobody executes."""
    if version is None:
        return True
    rights, labels = version.attributes.mode, {name for name, _ in version.attributes.xattrs}
    return not rights & ~_MODE and labels <= _LABELS


def _parmfiles_of(conf: bytes) -> set[str]:
    """The parmfiles that a zipl.conf names; a load address after a comma is no part of a name."""
    document = ZiplConf.parse(decoded(conf))
    values = {section.value(Keyword.PARMFILE) or "" for section in document.sections}
    names = values | {value.partition(",")[0] for value in values}
    # zipl runs in the root, and takes a name without a slash at its start from there.
    return names | {f"/{name}" for name in names if not name.startswith("/")}
