"""A change of several files, and then of the boot record, that is all-or-nothing.

The steps, each on the disk before the next begins:

1. the checkpoint: every file, byte for byte, and its attributes (PREPARED);
2. the new files, complete, under temporary names next to the old ones;
3. the journal says WRITING; the FIRST settings; one rename per file puts the new file in its place; the
   directories are synced;
4. the journal says COMMITTING; the caller runs zipl;
5. the LAST settings (`secboot.checkpoint.settings`);
6. the journal says DONE, and only then are the displaced old files removed.

An error or a signal at any point leads to a rollback (`secboot.checkpoint.rollback`). After a kill the
next run rolls the change back (`secboot.checkpoint.recovery`).
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from secboot.checkpoint.access import InterruptError
from secboot.checkpoint.changed_files import Place, Places
from secboot.checkpoint.journal import PENDING, State
from secboot.checkpoint.record import Audit, Checkpoint, FileVersion, Record, SavedFile
from secboot.checkpoint.retention import prune
from secboot.checkpoint.rollback import (
    UnfinishedChange,
    discard,
    roll_back_change,
)
from secboot.checkpoint.rollback_report import (
    RollbackReport,
    details_after,
    state_in_between,
    state_when_done,
)
from secboot.checkpoint.settings import Moment, Setting, boot_of, read_setting, write_setting
from secboot.digest import digest
from secboot.errors import RefusedError, RolledBackError, SecbootError
from secboot.named_tuple import NamedTuple
from secboot.progress import Phase
from secboot.system.directory import temporary_name
from secboot.system.file_errors import ChangedError
from secboot.system.files import FileAttributes, FileChange, FileContent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from secboot.checkpoint.access import WriteAccess
    from secboot.system.root import Root


class _Examined(NamedTuple):
    """A change of one file, with the file as it was found."""

    change: FileChange
    found: FileContent | None
    attributes: FileAttributes


class Transaction:
    """A change in progress; made by `begin`, used as a context manager.

    An exception that leaves the context rolls the change back:

    - before any file was replaced, the exception is raised as it is: nothing was changed;
    - after that, a `SecbootError` becomes a `RolledBackError` with its message;
    - an `InterruptError` or a bug is raised as it is, once everything is restored;
    - a `StuckError` is raised if the rollback fails.

    In `write_files`, `committing`, `settle` and `done`, a signal that was held back (`WriteAccess`) becomes
    an `InterruptError`.
    """

    def __init__(
        self, change: UnfinishedChange, places: Places, examined: Sequence[_Examined]
    ) -> None:
        self._change = change
        self._places = places
        self._files = tuple(zip(examined, places.all, strict=True))
        self.report: RollbackReport | None = None
        """What the rollback did; None if there was none."""

    @classmethod
    def begin(
        cls,
        access: WriteAccess,
        changes: Sequence[FileChange],
        audit: Audit,
        settings: Sequence[Setting] = (),
        directories: tuple[str, ...] = (),
    ) -> Transaction:
        """Check that everything is as the plan saw it, and save it in a new checkpoint.

        `directories` were created for the files; if the change is rolled back, the empty ones are removed.
        No change may be unfinished (`secboot.checkpoint.recovery`). Raises `ChangedError` for a file or
        setting that is not as the plan saw it, and `FileError`.
        """
        _require_sense(changes, settings, access)
        access.interrupts.safe_point()
        store, root = access.store, access.root
        if left := store.unfinished():
            raise RefusedError(f"the change of checkpoint {left[0].id} must be rolled back first")
        access.progress.report(Phase.SAVING)
        examined = tuple(_examine(root, change) for change in changes)
        files = tuple(_saved_file(each) for each in examined)
        before = _examine_settings(root, settings)
        record = Record(store.next_id(), root.base, audit, files, before, directories)
        with ExitStack() as opened:
            places = opened.enter_context(Places(root, files))
            store.create(record, changes)
            checkpoint = Checkpoint(record, (), store.shown(record.checkpoint))
            journal = store.open_journal(checkpoint)
            opened.callback(journal.close)
            change = UnfinishedChange(access, checkpoint, journal)
            opened.pop_all()
        return cls(change, places, examined)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, with its journal so far."""
        return self._change.checkpoint._replace(journal=tuple(self._change.journal.entries))

    @property
    def state(self) -> State:
        """The state of the change."""
        return self._change.journal.state

    def write_files(self) -> None:
        """Replace every file; they are on the disk when this returns."""
        access, total = self._change.access, len(self._files)
        for number, (each, place) in enumerate(self._files, start=1):
            access.interrupts.safe_point()
            if each.change.after is not None:
                place.directory.write_temporary(
                    place.file.prepared, each.change.after, each.attributes, shown_as=place.name
                )
            access.progress.report(Phase.WRITING, number, total)
        access.ledger.expect(state_in_between(access))
        self._advance(State.WRITING)
        self._write_settings(Moment.FIRST)
        for number, (each, place) in enumerate(self._files, start=1):
            access.interrupts.safe_point()
            _replace(each, place)
            access.progress.report(Phase.REPLACING, number, total)
        self._places.sync()

    def committing(self) -> None:
        """Record that zipl is about to run: from here on, a rollback must run it again."""
        self._change.access.interrupts.safe_point()
        self._advance(State.COMMITTING)

    def settle(self) -> None:
        """Write the settings that depend on everything else: on the files, and on what zipl made of them."""
        self._change.access.interrupts.safe_point()
        self._write_settings(Moment.LAST)

    def _write_settings(self, moment: Moment) -> None:
        for each in self._change.checkpoint.record.settings:
            if each.moment is moment:
                write_setting(self._change.access.root, each.path, each.after)

    def done(self, facts: Mapping[str, object] | None = None) -> None:
        """Record that the change is complete, with `facts` (JSON values) about zipl's run.

        Then the displaced files are removed, and old checkpoints are dropped.
        """
        self._change.access.interrupts.safe_point()
        self._advance(State.DONE, facts)
        access = self._change.access
        access.ledger.settle(state_when_done(access, pending=(facts or {}).get("zipl") == PENDING))
        access.progress.report(Phase.TIDYING)
        self._places.discard_displaced()
        # The change is complete and on the disk: a failure to clean up must not look like its failure.
        with suppress(SecbootError):
            prune(access.store, access.keep)
        access.interrupts.too_late()

    def _advance(self, state: State, facts: Mapping[str, object] | None = None) -> None:
        self._change.journal.append(state, facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if not self.state.finished:
                self._abandon(error)
        finally:
            self._change.journal.close()
            self._places.close()

    def _abandon(self, error: BaseException | None) -> None:
        reason = str(error) if error else "the change was not completed"
        if self.state is State.PREPARED:
            discard(self._change, self._places, reason)
        else:
            self.report = roll_back_change(self._change, self._places, reason)
        with suppress(SecbootError):
            prune(self._change.access.store, self._change.access.keep)
        if self.report is None or not self.report.changed_anything:
            return
        if isinstance(error, SecbootError) and not isinstance(error, InterruptError):
            raise RolledBackError(
                error.message,
                location=error.location,
                hint="\n".join(
                    [
                        *([error.hint] if error.hint else []),
                        *details_after(self.report, self.checkpoint),
                    ]
                )
                or None,
            ) from error


def _require_sense(
    changes: Sequence[FileChange], settings: Sequence[Setting], access: WriteAccess
) -> None:
    paths = [change.real_path for change in changes] + [each.path for each in settings]
    if not access.lock.held or not paths or len(set(paths)) != len(paths):
        raise ValueError("a transaction needs the lock, and changes of different files")
    if any(access.is_setting is None or not access.is_setting(each.path) for each in settings):
        raise ValueError("a setting that is not one of the running system")
    for flaw in (*(c.flaw() for c in changes), *(each.flaw() for each in settings)):
        if flaw:
            raise ValueError(flaw)


def _examine_settings(root: Root, settings: Sequence[Setting]) -> tuple[Setting, ...]:
    for each in settings:
        if read_setting(root, each.path) != each.before:
            raise ChangedError(
                "this setting was changed since the plan was made",
                path=root.shown(each.path),
                hint="review the change, then run the command again",
            )
    boot = boot_of(root) if settings else ""
    return tuple(each._replace(boot=boot) for each in settings)


def _examine(root: Root, change: FileChange) -> _Examined:
    found = root.read_direct(change.real_path)
    if (None if found is None else found.data) != change.before:
        raise ChangedError(
            "the file was changed since the plan was made",
            path=root.shown(change.real_path),
            hint="review the change, then run the command again",
        )
    if change.attributes is not None:
        return _Examined(change, found, change.attributes)
    if found is not None:
        return _Examined(change, found, found.attributes)
    return _Examined(change, found, FileAttributes(0o644, os.geteuid(), os.getegid()))


def _saved_file(each: _Examined) -> SavedFile:
    change, found = each.change, each.found
    before = None if found is None else _version(found.data, found.attributes)
    after = None if change.after is None else _version(change.after, each.attributes)
    return SavedFile(
        path=change.real_path,
        named=change.path,
        before=before,
        after=after,
        prepared=temporary_name(),
        restored=temporary_name(),
    )


def _version(data: bytes, attributes: FileAttributes) -> FileVersion:
    return FileVersion(digest(data), len(data), attributes)


def _replace(each: _Examined, place: Place) -> None:
    if each.change.after is not None:
        place.directory.put(place.name, place.file.prepared, each.found)
    elif each.found is not None:
        place.directory.take_away(place.name, place.file.prepared, each.found)
