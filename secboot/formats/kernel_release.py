"""The release of a kernel: ``5.14.0-427.13.1.el9_4.s390x``, as uname(2) has it."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(\d{1,4})\.(\d{1,4})(?![0-9])", re.ASCII)
_AT_THE_END = re.compile(r"[-_](\d{1,4}\.\d{1,4}(?:[.+~_-][\x21-\x7e]*)?)$", re.ASCII)
_SUFFIXES = (".gz", ".img")


def release_number(release: str) -> tuple[int, int] | None:
    """The major and minor number of a release; None for a text that is none."""
    found = _NUMBER.match(release)
    return None if found is None else (int(found[1]), int(found[2]))


def release_in_name(path: str) -> str | None:
    """The release that an image's file name ends with: ``/boot/vmlinuz-5.4.0-42-generic``."""
    name = path.rpartition("/")[2]
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    found = _AT_THE_END.search(name)
    return None if found is None else found[1]
