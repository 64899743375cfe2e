"""What a writing command holds: the root, the store, the lock, and a way to run zipl.

There is one writer at a time. The lock is flock(2) on the file ``lock`` in the state directory. It
ends with the process, so a crash leaves no lock. The programs that a change runs inherit it: a zipl
that outlives a killed secboot still locks out others. On a file system without flock(2) (some NFS
mounts) the existence of a file ``lock.owner`` is the lock; one that a dead process left is recognised
by process ID, start time, boot ID and host name.

A signal must not end secboot in the middle of a change. It is recorded, the current step finishes
(zipl above all), and at the next safe point `InterruptError` is raised, which leads to an orderly
rollback.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Self

from secboot import codec
from secboot.checkpoint.journal import now
from secboot.checkpoint.retention import KEEP
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import ExitCode, Ledger, ParseError, RefusedError, SecbootError
from secboot.invocation import PLAIN, Invocation
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED
from secboot.system.directory import OpenDirectory, temporary_name
from secboot.system.file_errors import ChangedError, FileError, file_error
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from secboot.checkpoint.record import Checkpoint, SavedFile
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.progress import Progress
    from secboot.system.root import Root

Commit = Callable[[tuple[int, ...]], Mapping[str, object]]
"""Runs zipl on the files as they are.

It gets the open files that zipl must inherit (`Runner.run`), returns what the journal records as
JSON values, and raises `SecbootError` if zipl fails.
"""

_LOCK = "lock"
_OWNER = "lock.owner"
_NO_FLOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_LIMIT = 4096
_ATTEMPTS = 20
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WriteAccess(NamedTuple):
    """The right to change files of a root, held by one process at a time.

    `interrupts` holds back SIGINT, SIGTERM and SIGHUP as long as the access lasts; a signal that came
    too late to stop anything is `pending` there. `ledger` is kept up to date with the state of the
    machine. Without `commit` a rollback leaves the boot record alone, and says so. `keep` is the number
    of changes that stand (`retention.prune`). `progress` receives the progress of a change or of its
    rollback. `writer` names the programs that write the boot record; `by_hand` is the command to type
    for that. `invocation` is how the user called secboot. `is_ours` returns whether secboot changes a
    saved file here; whatever else a record names is not acted upon. `is_setting` does the same for the
    path of a setting; it is None for a tree that is not the running system: there no setting is
    written or restored.
    """

    root: Root
    store: CheckpointStore
    lock: Lock
    interrupts: HeldInterrupts
    ledger: Ledger
    commit: Commit | None = None
    keep: int | None = KEEP
    progress: Progress = UNWATCHED
    writer: str = "zipl"
    by_hand: str | None = None
    invocation: Invocation = PLAIN
    is_ours: Callable[[Checkpoint, SavedFile], bool] = lambda *_: True
    is_setting: Callable[[str], bool] | None = None


class ReadAccess(NamedTuple):
    """What it takes to predict a rollback: no lock, no right to write.

    The fields are those of `WriteAccess`.
    """

    root: Root
    store: CheckpointStore
    invocation: Invocation = PLAIN
    is_ours: Callable[[Checkpoint, SavedFile], bool] = lambda *_: True
    is_setting: Callable[[str], bool] | None = None


Access = ReadAccess | WriteAccess


@contextmanager
def write_access(
    root: Root,
    directory: StateDirectory,
    *,
    commit: Commit | None = None,
    keep: int | None = KEEP,
    notice: Callable[[str], None] | None = None,
    progress: Progress = UNWATCHED,
    ledger: Ledger | None = None,
) -> Iterator[WriteAccess]:
    """Take the lock of a root; it is released at the end of the context.

    The state directory is created if it does not exist. `notice` gets a sentence for the user when a
    signal must wait. The other arguments are fields of `WriteAccess`. Raises `LockedError`, and
    `FileError` if the state directory cannot be created or used.
    """
    with ExitStack() as held:
        interrupts = held.enter_context(HeldInterrupts(notice))
        state = directory.create()
        held.callback(state.close)
        lock = held.enter_context(acquire(state))
        store = CheckpointStore(state)
        yield WriteAccess(root, store, lock, interrupts, ledger or Ledger(), commit, keep, progress)


class InterruptError(SecbootError):
    """The user or the system told secboot to stop, and it stopped at a safe point."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


class HeldInterrupts:
    """A context in which SIGINT, SIGTERM and SIGHUP are recorded instead of acted upon.

    When one arrives, `notice` is called, at most once, with a sentence for the user. Signals that are
    ignored (nohup) stay ignored. Outside the main thread, where Python allows no signal handlers, it
    does nothing.
    """

    def __init__(self, notice: Callable[[str], None] | None = None) -> None:
        self.pending: signal.Signals | None = None
        """The first signal that arrived, if any."""
        self._notice = notice
        self._former: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HELD_BACK:
                former = signal.getsignal(number)
                if former is not signal.SIG_IGN:
                    self._former.append((number, former))
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        while self._former:
            number, former = self._former.pop()
            # None: a handler that was not set from Python, which Python cannot restore.
            if callable(former) or isinstance(former, signal.Handlers):
                signal.signal(number, former)

    def safe_point(self) -> None:
        """Raise `InterruptError` if a signal has arrived; the caller can stop here."""
        if self.pending is not None:
            raise InterruptError(f"interrupted ({self.pending.name})")

    def too_late(self) -> None:
        """Notify the user if a signal arrived too late to stop anything."""
        if self.pending is not None and self._notice is not None:
            self._notice(f"{self.pending.name} came too late: the change is complete")

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.pending is None:
            self.pending = signal.Signals(number)
            if self._notice is not None:
                self._notice(f"{self.pending.name}: stopping at the next safe point")


class LockedError(RefusedError):
    """Another secboot is running on this root."""


class Owner(NamedTuple):
    """Who holds the lock. `start` is when the process started, in clock ticks since `boot` (a boot ID)."""

    pid: int
    start: str
    boot: str
    host: str
    since: str

    @classmethod
    def current(cls) -> Owner:
        """The calling process."""
        return cls(os.getpid(), _start_of(os.getpid()), _boot_id(), os.uname().nodename, now())

    @classmethod
    def parse(cls, data: bytes) -> Owner | None:
        """Return what `to_bytes` wrote; None for anything else."""
        try:
            return codec.decode(cls, codec.parse(data, _LOCK), _LOCK)
        except ParseError:
            return None

    def to_bytes(self) -> bytes:
        """Return one line of JSON."""
        return json.dumps(codec.encode(self)).encode("ascii") + b"\n"

    def is_gone(self) -> bool:
        """Whether the process has certainly ended; always false for a process on another host."""
        if self.host != os.uname().nodename:
            return False
        return self.boot != _boot_id() or self.start != _start_of(self.pid)


class Lock:
    """The lock, held until `release` or the end of the context."""

    def __init__(self, directory: OpenDirectory, file: int, *, by_file: bool) -> None:
        self._directory = directory
        self._file = file
        self._by_file = by_file

    @property
    def inherited(self) -> tuple[int, ...]:
        """Open files that a program run under the lock must inherit (`Runner.run`)."""
        return (self._file,)

    @property
    def held(self) -> bool:
        """Whether it has not been released yet."""
        return self._file >= 0

    def release(self) -> None:
        """Release the lock."""
        if self.held:
            if self._by_file:
                with suppress(FileError):
                    self._directory.discard(_OWNER)
            os.close(self._file)
            self._file = -1
            self._directory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire(state: Root) -> Lock:
    """Take the lock of the state directory `state`; `LockedError` if another process holds it."""
    directory = state.open_directory("/")
    try:
        return _acquire(directory)
    except BaseException:
        directory.close()
        raise


def _acquire(directory: OpenDirectory) -> Lock:
    file = directory.open_file(_LOCK, os.O_RDWR | os.O_CREAT)
    try:
        by_file = not _flock(file, directory.shown(_LOCK))
        if by_file:
            _take_by_file(directory)
        with suppress(OSError):
            # Only for the error message of other processes.
            os.ftruncate(file, 0)
            os.pwrite(file, Owner.current().to_bytes(), 0)
    except BaseException:
        os.close(file)
        raise
    return Lock(directory, file, by_file=by_file)


def _flock(file: int, shown: str) -> bool:
    """Lock an open file; False if the file system has no locks. `LockedError` if it is locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _locked(Owner.parse(os.pread(file, _LIMIT, 0)), shown) from None
    except OSError as error:
        if error.errno in _NO_FLOCK:
            return False
        raise file_error(error, shown) from error
    return True


def _take_by_file(directory: OpenDirectory) -> None:
    mine = temporary_name()
    directory.create(mine, [Owner.current().to_bytes()])
    try:
        for _ in range(_ATTEMPTS):
            try:
                # A link appears together with its content or not at all, also on NFS.
                directory.link(mine, _OWNER)
            except FileExistsError:
                _clear_stale(directory)
            else:
                return
    finally:
        directory.discard(mine)
    raise _locked(None, directory.shown(_OWNER))


def _clear_stale(directory: OpenDirectory) -> None:
    """Remove the lock of a dead process; `LockedError` if the process may still be running."""
    found = directory.read(_OWNER)
    if found is None:
        return
    owner = Owner.parse(found.data)
    if owner is None or not owner.is_gone():
        raise _locked(owner, directory.shown(_OWNER))
    aside = temporary_name()
    # Two processes may find it stale at the same time: if the wrong file was removed, ChangedError is
    # raised and it is restored.
    with suppress(ChangedError):
        directory.take_away(_OWNER, aside, found)
    directory.discard(aside)


def _locked(owner: Owner | None, shown: str) -> LockedError:
    if owner is None:
        return LockedError(f"another secboot is running; it holds {visible(shown)}")
    who = f"pid {owner.pid} on {visible(owner.host)}, since {visible(owner.since)}"
    if owner.host != os.uname().nodename:
        return LockedError(
            f"another secboot is running ({who})",
            hint=f"if that machine no longer exists, remove {visible(shown)}",
        )
    if owner.is_gone():
        return LockedError(
            f"zipl, started by a secboot process that has since died, is still running ({who})",
            hint="wait for it to finish (ps -C zipl), then try again",
        )
    return LockedError(f"another secboot is running ({who})", hint="wait for it to finish")


def _boot_id() -> str:
    return _first_line("/proc/sys/kernel/random/boot_id")


def _start_of(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc_pid_stat(5)); "" if it does not exist."""
    # The name of the program, in parentheses, can itself contain spaces and parentheses.
    fields = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _first_line(path: str) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(file, _LIMIT).decode("utf-8", "replace").partition("\n")[0]
    except OSError:
        return ""
    finally:
        os.close(file)
