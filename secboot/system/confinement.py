"""Giving up, for the rest of the process, the rights that a command that only reads does not need.

There are three mechanisms. Some kernels and containers refuse one; then secboot does without it:

- capabilities (capabilities(7)): all are given up except those for reading files, whoever owns them;
- Landlock (landlock(7), Linux 5.13): no file is opened for writing, created, renamed or removed, except in
  the directories of the files that the command must write; no program is executed; later versions also
  refuse ioctl(2) on devices, TCP, and signals to processes outside;
- no_new_privs (prctl(2)), which Landlock requires: no program grants rights that the process lacks.

A seccomp filter cannot distinguish an openat2(2) that reads from one that writes, because its flags are in
memory. The numbers are those of include/uapi/linux/{landlock,capability,prctl}.h, which are the same on all
architectures.

Everything applies to the calling thread and those that it starts, so it must come first.
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import partial
from typing import TYPE_CHECKING

from secboot.system.syscalls import UnavailableError, call, libc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _REMOVE_FILE, _MAKE_REGULAR = 1 << 0, 1 << 1, 1 << 5, 1 << 8
_REMOVE_TO_MAKE_SYMLINK = 0x1FF0
_SINCE = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""What later versions can refuse: link and rename between directories, truncate, ioctl on devices."""
_TRUNCATE, _IOCTL_ON_DEVICES = _SINCE[3], _SINCE[5]
_TCP, _SCOPES = 3, 3
"""TCP bind and connect, since version 4; abstract sockets and signals, since version 6."""

_NO_NEW_PRIVILEGES = 38
_CAPABILITY_VERSION = 0x20080522
_DAC_READ_SEARCH, _SYSLOG = 2, 34
_FOR_READING = 1 << _DAC_READ_SEARCH | 1 << _SYSLOG
"""For files of other users, and for the kernel log."""
_FOR_OUTPUT = _FOR_READING | 0b11011
"""Also CHOWN, DAC_OVERRIDE, FOWNER and FSETID: root may write a file into a directory of a user."""


_RULESET = struct.Struct("=QQQ")
"""File accesses, network accesses, and scopes that are refused (struct landlock_ruleset_attr)."""
_RULE = struct.Struct("=Qi")
"""Accesses that are allowed, and the open directory below which (struct landlock_path_beneath_attr)."""
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=6I")
"""Effective, permitted and inheritable capabilities 0 to 31, then 32 to 63 (capset(2))."""


def confine(outputs: Sequence[str] = ()) -> tuple[str, ...]:
    """Give up all rights that reading does not need, except for writing the files `outputs`.

    Returns which mechanisms the system refused, and why; that is not a failure.
    """
    refused = []
    kept = _FOR_OUTPUT if outputs else _FOR_READING
    for name, step in (
        ("capabilities", partial(_drop_capabilities, kept)),
        ("Landlock", partial(_forbid_writing, outputs)),
    ):
        try:
            step()
        except UnavailableError as error:
            refused.append(f"{name}: {error}")
        except OSError as error:
            refused.append(f"{name}: {error.strerror}")
    return tuple(refused)


def _drop_capabilities(kept: int) -> None:
    """Keep only these capabilities; a process without any needs nothing."""
    if not hasattr(libc, "capset"):
        raise UnavailableError("the C library has no capset")
    header = _HEADER.pack(_CAPABILITY_VERSION, 0)
    found = ctypes.create_string_buffer(_SETS.size)
    _check(libc.capget(header, found))
    effective, permitted, _, effective_high, permitted_high, _ = _SETS.unpack(found.raw)
    if not permitted and not permitted_high:
        return
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = (effective & low, permitted & low, 0, effective_high & high, permitted_high & high, 0)
    _check(libc.capset(header, _SETS.pack(*sets)))


def _forbid_writing(outputs: Iterable[str]) -> None:
    version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    accesses = _EXECUTE | _WRITE_FILE | _REMOVE_TO_MAKE_SYMLINK
    accesses |= sum(access for since, access in _SINCE.items() if version >= since)
    # A kernel refuses data beyond the size of its version.
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _RULESET.pack(accesses, _TCP, _SCOPES)[:size]
    ruleset = call(
        _CREATE_RULESET, ctypes.c_char_p(rules), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    try:
        for path, allowed in _exceptions(outputs):
            _allow(ruleset, path, allowed & accesses)
        _check(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _exceptions(outputs: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield what may be written: /dev/null, and `outputs`.

    A regular file is replaced by one that is created in its directory; anything else is written in place.
    """
    written = _WRITE_FILE | _TRUNCATE
    yield os.devnull, written
    for output in outputs:
        target = os.path.realpath(output)
        yield target, written | _IOCTL_ON_DEVICES
        yield os.path.dirname(target), written | _MAKE_REGULAR | _REMOVE_FILE  # noqa: PTH120 - of a real path


def _allow(ruleset: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # Nothing is written to a missing directory; the command reports that it is missing.
        return
    try:
        call(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.c_char_p(_RULE.pack(allowed, place)),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(place)


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
