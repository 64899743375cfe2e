"""System calls that Python's `os` lacks: openat2 and renameat2, and a way to call others.

openat2 has number 437 on every architecture (include/uapi/asm-generic/unistd.h and the system call tables
of x86, s390 and so on); renameat2 is older than common numbers. Both are optional: without them
`UnavailableError` is raised, and callers work without them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

_OPENAT2 = 437
_RENAMEAT2 = {
    "x86_64": 316,
    "s390x": 347,
    "ppc64le": 357,
    "ppc64": 357,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
}
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10

# A seccomp filter that does not know a call returns EPERM or ENOSYS; a file system that cannot exchange
# names returns EINVAL (fs/namei.c: vfs_rename, and many ->rename methods).
_NO_SUCH_CALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.E2BIG})


class UnavailableError(Exception):
    """The kernel, a filter, or the file system does not support this call."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


libc = ctypes.CDLL(None, use_errno=True)
"""The C library of this process; a called function leaves its error for `ctypes.get_errno`."""
_syscall = libc.syscall
_syscall.restype = ctypes.c_long


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """Open `path` below the directory `directory`, with the restrictions `resolve`.

    `path` must not contain NUL. Returns a file descriptor that programs do not inherit. Raises OSError as
    open(2), and `UnavailableError`.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return call(
        _OPENAT2,
        ctypes.c_int(directory),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )


def exchange(directory: int, one: bytes, other: bytes) -> None:
    """Exchange two names of one directory atomically: neither is ever missing.

    Raises OSError as rename(2), and `UnavailableError` if this is not supported.
    """
    _renameat2(directory, one, other, _RENAME_EXCHANGE)


def rename_new(directory: int, old: bytes, new: bytes) -> None:
    """Rename `old` to `new` in one directory; FileExistsError if `new` exists.

    Raises OSError as rename(2), and `UnavailableError` if this is not supported.
    """
    _renameat2(directory, old, new, _RENAME_NOREPLACE)


def _renameat2(directory: int, old: bytes, new: bytes, flags: int) -> None:
    number = _RENAMEAT2.get(os.uname().machine)
    if number is None or sys.maxsize < 2**32:
        raise UnavailableError
    call(
        number,
        ctypes.c_int(directory),
        ctypes.c_char_p(old),
        ctypes.c_int(directory),
        ctypes.c_char_p(new),
        ctypes.c_uint(flags),
    )


def call(number: int, *arguments: object) -> int:
    """Make the system call with this number; raises OSError, and `UnavailableError` if it is not supported."""
    while True:
        result: int = _syscall(ctypes.c_long(number), *arguments)
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code in _NO_SUCH_CALL:
            raise UnavailableError(os.strerror(code))
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
