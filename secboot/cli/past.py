"""Reading the checkpoints of a root, without the lock and without writing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RefusedError
from secboot.system.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secboot.checkpoint.store import Checkpoint, CheckpointStore


def read_checkpoints(
    root: Path, state_dir: Path | None, checkpoint: str | None
) -> tuple[Checkpoint, ...]:
    """Return all checkpoints, the oldest first, or the one that is named."""
    with _store(root, state_dir) as store:
        if store is None:
            if checkpoint is not None:
                raise RefusedError(
                    f"there is no checkpoint {checkpoint!r}", hint="nothing has been applied here"
                )
            return ()
        return store.checkpoints() if checkpoint is None else (store.get(checkpoint),)


def read_diffs(root: Path, state_dir: Path | None, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return what a checkpoint's change did to each of its files."""
    from secboot.report.history import file_diff

    with _store(root, state_dir) as store:
        if store is None:
            return ()
        return tuple(
            file_diff(
                file,
                None if file.before is None else store.before(checkpoint, index),
                store.after(checkpoint, index),
            )
            for index, file in enumerate(checkpoint.record.files)
        )


@contextmanager
def _store(root: Path, state_dir: Path | None) -> Iterator[CheckpointStore | None]:
    with Root(root) as tree:
        directory = StateDirectory(tree, state_dir)
        try:
            state = directory.open()
            if state is None:
                yield None
                return
            # Where nothing was ever applied, what reads checkpoints isn't needed either.
            from secboot.checkpoint.store import CheckpointStore

            with CheckpointStore(state) as store:
                yield store
        finally:
            directory.close()
