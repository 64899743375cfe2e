"""The zipl that is installed: where it is, and which release.

The release is read from the program itself, which holds it as text (``2.16.0-build-20210818``,
the RELEASE_STRING of s390-tools' common.mak). So it is known for the tree of another machine
too, where the program can't be run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.system.file_errors import FileError
from secboot.system.programs import find_program
from secboot.zipl.version import ZiplVersion

if TYPE_CHECKING:
    from secboot.system.root import Root

_RELEASE = rb"\0(\d{1,2})\.(\d{1,3})\.(\d{1,3})-[0-9A-Za-z][0-9A-Za-z._+~-]{0,60}\0"
_PROGRAM_LIMIT = 16 * 2**20


def installed_version(root: Root) -> ZiplVersion | None:
    """Return the release of the zipl that is installed in the root, or None if unknown."""
    path = find_program(root, "zipl")
    if path is None:
        return None
    try:
        found = re.search(_RELEASE, root.read_bytes(path, _PROGRAM_LIMIT))
    except FileError:
        return None
    return None if found is None else ZiplVersion(*(int(part) for part in found.groups()))
