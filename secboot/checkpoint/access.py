"""What a writing command holds: the root, the store, the lock, and a way to run zipl.

One writer at a time: the lock is flock(2) on the file ``lock`` in the state directory. It ends with
the process, so none is left by a crash. The programs that a change runs inherit it, so that a zipl
which outlives a killed secboot still keeps others away. On a file system that refuses flock(2)
(some NFS mounts) a file ``lock.owner`` that exists takes its place; the one that a dead process
left is recognised by process id, its start time, boot id and host name.

A signal in the middle of a change must not end secboot where it stands: it is noted, what is under
way is brought to its end (zipl above all), and at the next safe point `InterruptError` is raised,
which leads to an orderly rollback.
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

It is given the open files that zipl has to inherit (`Runner.run`), returns what the journal should
remember as JSON values, and raises `SecbootError` when zipl fails.
"""

_LOCK = "lock"
_OWNER = "lock.owner"
_NO_FLOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_LIMIT = 4096
_ATTEMPTS = 20
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WriteAccess(NamedTuple):
    """The right to change files of a root, held by one process at a time.

    Without `commit` a rollback leaves the boot record alone, and says so; `by_hand` is the command
    that writes it, for a person to type. `keep` counts changes that stand (`retention.prune`).
    `is_ours` tells of a saved file whether it is one that secboot changes here: what a record says
    besides is not acted upon. `is_setting` tells the same of a setting's path; it is None for a tree
    that is not the running system, where no setting is written or put back. `invocation` is how the user named all this. `interrupts` holds back
    SIGINT, SIGTERM and SIGHUP as long as the access lasts; one that came too late to stop anything
    is `pending` there. `ledger` is kept up to date with the state of the machine. `progress` is told how
    far a change, or its rollback, has come. `writer` names the programs that write the boot record.
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
    """What it takes to say what a rollback would do: no lock, no right to write.

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

    The state directory is made if there is none. `notice` is given a sentence for the user when
    an interrupt has to wait. For what else a `WriteAccess` holds see there. Raises `LockedError`,
    and `FileError` when the state directory can't be made or used.
    """
    with ExitStack() as held:
        interrupts = held.enter_context(HeldInterrupts(notice))
        state = directory.create()
        held.callback(state.close)
        lock = held.enter_context(acquire(state))
        store = CheckpointStore(state)
        yield WriteAccess(root, store, lock, interrupts, ledger or Ledger(), commit, keep, progress)


class InterruptError(SecbootError):
    """The user or the system asked secboot to stop, and it did so at a safe point."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED


class HeldInterrupts:
    """A context in which SIGINT, SIGTERM and SIGHUP are noted instead of acted upon.

    `notice` is called, at most once, with a sentence for the user when one arrives. Signals that
    are ignored (nohup) stay ignored. Outside the main thread, where Python allows no handlers,
    it does nothing.
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
            # None: a handler that was not set from Python and can't be put back by it.
            if callable(former) or isinstance(former, signal.Handlers):
                signal.signal(number, former)

    def safe_point(self) -> None:
        """Raise `InterruptError` if a signal has arrived: the caller can stop here."""
        if self.pending is not None:
            raise InterruptError(f"interrupted ({self.pending.name})")

    def too_late(self) -> None:
        """Say so if a signal has arrived that stops nothing any more."""
        if self.pending is not None and self._notice is not None:
            self._notice(f"{self.pending.name} came too late: the change is complete")

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.pending is None:
            self.pending = signal.Signals(number)
            if self._notice is not None:
                self._notice(f"{self.pending.name}: stopping at the next safe point")


class LockedError(RefusedError):
    """Another secboot is at work on this root."""


class Owner(NamedTuple):
    """Who holds the lock. `start` is the process's start in clock ticks since `boot` (a boot id)."""

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
        """What `to_bytes` wrote; None for anything else."""
        try:
            return codec.decode(cls, codec.parse(data, _LOCK), _LOCK)
        except ParseError:
            return None

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        return json.dumps(codec.encode(self)).encode("ascii") + b"\n"

    def is_gone(self) -> bool:
        """Whether the process has certainly ended; never certain of one on another host."""
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
        """Open files that a program run under the lock has to inherit (`Runner.run`)."""
        return (self._file,)

    @property
    def held(self) -> bool:
        """Whether it has not been released yet."""
        return self._file >= 0

    def release(self) -> None:
        """Let others work."""
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
    """Take the lock of the state directory `state`; `LockedError` when another process has it."""
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
            # For the message to others only.
            os.ftruncate(file, 0)
            os.pwrite(file, Owner.current().to_bytes(), 0)
    except BaseException:
        os.close(file)
        raise
    return Lock(directory, file, by_file=by_file)


def _flock(file: int, shown: str) -> bool:
    """Lock an open file; False where the file system has no locks. `LockedError` when taken."""
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
                # A link with its content appears at once or not at all, on NFS too.
                directory.link(mine, _OWNER)
            except FileExistsError:
                _clear_stale(directory)
            else:
                return
    finally:
        directory.discard(mine)
    raise _locked(None, directory.shown(_OWNER))


def _clear_stale(directory: OpenDirectory) -> None:
    """Remove the lock of a dead process; `LockedError` when its process may be alive."""
    found = directory.read(_OWNER)
    if found is None:
        return
    owner = Owner.parse(found.data)
    if owner is None or not owner.is_gone():
        raise _locked(owner, directory.shown(_OWNER))
    aside = temporary_name()
    # Two may find it stale at once: who takes away something else by mistake gets `ChangedError`
    # and the other's lock stands again.
    with suppress(ChangedError):
        directory.take_away(_OWNER, aside, found)
    directory.discard(aside)


def _locked(owner: Owner | None, shown: str) -> LockedError:
    if owner is None:
        return LockedError(f"another secboot is at work; it holds {visible(shown)}")
    who = f"pid {owner.pid} on {visible(owner.host)}, since {visible(owner.since)}"
    if owner.host != os.uname().nodename:
        return LockedError(
            f"another secboot is at work ({who})",
            hint=f"if that machine is gone, remove {visible(shown)}",
        )
    if owner.is_gone():
        return LockedError(
            f"a program that another secboot started still runs; that secboot has ended ({who})",
            hint="most likely it is zipl: wait for its end (ps -C zipl), then try again",
        )
    return LockedError(f"another secboot is at work ({who})", hint="wait for its end")


def _boot_id() -> str:
    return _first_line("/proc/sys/kernel/random/boot_id")


def _start_of(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc_pid_stat(5)); "" when there is none."""
    # The program's name, in parentheses, can hold blanks and parentheses of its own.
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
