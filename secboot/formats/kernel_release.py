"""The release of a kernel, as in uname(2): ``5.14.0-427.13.1.el9_4.s390x``."""

from __future__ import annotations

import re

_NUMBER = r"(?a:(\d{1,4})\.(\d{1,4})(?![0-9]))"
_AT_THE_END = r"(?a:[-_](\d{1,4}\.\d{1,4}(?:[.+~_-][\x21-\x7e]*)?)$)"
_SUFFIXES = (".gz", ".img")


def release_number(release: str) -> tuple[int, int] | None:
    """The major and minor number of a release; None if the text is not a release."""
    found = re.match(_NUMBER, release)
    return None if found is None else (int(found[1]), int(found[2]))


def release_in_name(path: str) -> str | None:
    """The release at the end of an image's file name: ``/boot/vmlinuz-5.4.0-42-generic``."""
    name = path.rpartition("/")[2]
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    found = re.search(_AT_THE_END, name)
    return None if found is None else found[1]
