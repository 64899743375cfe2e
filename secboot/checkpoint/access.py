"""What a writing command holds: the root, the store, the lock, and a way to run zipl."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.checkpoint.interrupts import HeldInterrupts
from secboot.checkpoint.lock import Lock, acquire
from secboot.checkpoint.store import CheckpointStore
from secboot.progress import UNWATCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.progress import Progress
    from secboot.system.root import Root

Commit = Callable[[tuple[int, ...]], Mapping[str, object]]
"""Runs zipl on the files as they are.

It is given the open files that zipl has to inherit (`Runner.run`), returns what the journal should
remember as JSON values, and raises `SecbootError` when zipl fails.
"""

KEEP = 20
"""Finished checkpoints that are kept unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class WriteAccess:
    """The right to change files of a root, held by one process at a time.

    Without `commit` a rollback leaves the boot record alone, and says so. `keep` counts finished
    checkpoints. `interrupts` holds back SIGINT, SIGTERM and SIGHUP as long as the access lasts;
    one that came too late to stop anything is `pending` there. `progress` is told how far a change,
    or its way back, has come.
    """

    root: Root
    store: CheckpointStore
    lock: Lock
    interrupts: HeldInterrupts
    commit: Commit | None = None
    keep: int = KEEP
    progress: Progress = UNWATCHED


@contextmanager
def write_access(
    root: Root,
    directory: StateDirectory,
    *,
    commit: Commit | None = None,
    keep: int = KEEP,
    notice: Callable[[str], None] | None = None,
    wait: float = 0.0,
    progress: Progress = UNWATCHED,
) -> Iterator[WriteAccess]:
    """Take the lock of a root, trying for `wait` seconds; it is released at the end of the context.

    The state directory is made if there is none. `notice` is given a sentence for the user when
    an interrupt has to wait. Raises `LockedError`, and `FileError` when the state directory can't
    be made or used.
    """
    with ExitStack() as held:
        interrupts = held.enter_context(HeldInterrupts(notice))
        state = directory.create()
        held.callback(state.close)
        lock = held.enter_context(acquire(state, interrupts, wait))
        store = CheckpointStore(state)
        yield WriteAccess(root, store, lock, interrupts, commit, keep, progress)
