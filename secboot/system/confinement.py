"""Giving up, for the rest of the process, the rights that who only looks has no use for.

Three means, each of which is refused by some kernels and containers, and then done without:

- the capabilities (capabilities(7)) but those that reading takes; what root owns can still be read, and
  so can what others own;
- Landlock (landlock(7), Linux 5.13): no file is opened for writing, made, renamed or removed, but below
  the directories of the files that the command was asked to write; no program is executed; later
  versions of it also refuse ioctl(2) on devices, TCP, and signals to processes outside;
- no_new_privs (prctl(2)), which Landlock asks for: no program gives rights that the process lacks.

A seccomp filter could not tell an openat2(2) that reads from one that writes: its flags are in memory.
The numbers are those of include/uapi/linux/{landlock,capability,prctl}.h, the same everywhere.

All of it is for the calling thread and those that it starts, so it comes first.
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
"""What later versions can refuse: to link or rename between directories, truncate, ioctl on devices."""
_TRUNCATE, _IOCTL_ON_DEVICES = _SINCE[3], _SINCE[5]
_TCP, _SCOPES = 3, 3
"""To bind and to connect, since version 4; abstract sockets and signals, since version 6."""

_NO_NEW_PRIVILEGES = 38
_CAPABILITY_VERSION = 0x20080522
_DAC_READ_SEARCH, _SYSLOG = 2, 34
_FOR_READING = 1 << _DAC_READ_SEARCH | 1 << _SYSLOG
"""Files of others, and the kernel's log."""
_FOR_OUTPUT = _FOR_READING | 0b11011
"""CHOWN, DAC_OVERRIDE, FOWNER and FSETID, too: root writes a file into the directory of a user."""


_RULESET = struct.Struct("=QQQ")
"""Accesses of files, of the network, and scopes that are refused (struct landlock_ruleset_attr)."""
_RULE = struct.Struct("=Qi")
"""Accesses that are allowed, and the open file below which (struct landlock_path_beneath_attr)."""
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=6I")
"""Effective, permitted and inheritable capabilities 0 to 31, then 32 to 63 (capset(2))."""


def confine(outputs: Sequence[str] = ()) -> tuple[str, ...]:
    """Give up what reading does not take, but for writing the files `outputs`.

    Returns which of the means the system refused, and why; that is no failure.
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
    """Keep these of what there is; nothing is to be done for a process without any."""
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
    # A kernel refuses what is beyond the size that its version has.
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
    """Yield what may be written to: the place where output goes that nobody wants, and `outputs`.

    A file is replaced by one that is made beside it; what is none is written to as it is.
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
        # What is not there is not written to; that a directory is missing is for the command to say.
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
