"""Which files secboot changes on a machine: what a checkpoint may name, and nothing besides.

A checkpoint comes from the state directory, and with an image that somebody else made. A record that
names another file, or a boot file's name for a path that does not lead there, is not acted upon.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.machine.zipl_conf_file import ZIPL_CONF_PATHS
from secboot.system.file_errors import FileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.checkpoint.record import SavedFile
    from secboot.machine.sources import Sources
    from secboot.system.root import Root


class BootPaths:
    """The paths of boot files in `root`, as its layout has them and a user's ``ZIPLCONF`` names."""

    def __init__(self, root: Root, sources: Sources, environment: Mapping[str, str] | None) -> None:
        self._root = root
        named = (environment or {}).get("ZIPLCONF")
        self._confs = {*ZIPL_CONF_PATHS, *filter(None, (sources.conf_path, named))}
        self._plain = {*self._confs, *sources.reads, ZIPLENV}

    def holds(self, file: SavedFile) -> bool:
        """Whether this file of a checkpoint is one that secboot can have changed here."""
        if not self._is_named(file.named):
            return False
        try:
            return self._is_named(file.path) or self._root.real_path(file.named) == file.path
        except FileError:
            # A directory that is gone has no links any more.
            return file.path == file.named

    def _is_named(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        if path in self._plain or (directory == BLS_DIRECTORY and name.endswith(".conf")):
            return True
        return path in self._parmfiles

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


def _parmfiles_of(conf: bytes) -> set[str]:
    """The parmfiles that a zipl.conf names; a load address after a comma is no part of a name."""
    document = ZiplConf.parse(conf.decode("utf-8", "surrogateescape"))
    values = {section.value(Keyword.PARMFILE) or "" for section in document.sections}
    return values | {value.partition(",")[0] for value in values}
