"""The only way to change files of a machine: under the lock, checked, committed, verified."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.apply.boot_paths import BootPaths, is_reboot_setting
from secboot.apply.mounted import require_mounted
from secboot.apply.zipl import check_candidates
from secboot.checkpoint.access import ReadAccess, write_access
from secboot.checkpoint.changed_files import Conflict
from secboot.checkpoint.journal import PENDING
from secboot.checkpoint.recovery import (
    RecoveryReport,
    leaves_remains,
    not_acted_upon,
    recover,
)
from secboot.checkpoint.retention import kept
from secboot.checkpoint.store import CheckpointStore
from secboot.checkpoint.transaction import Transaction
from secboot.errors import SecbootError
from secboot.invocation import PLAIN, Invocation
from secboot.machine.discovery import discover, is_bls_entry
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from secboot.apply.zipl import Zipl, ZiplRun
    from secboot.checkpoint.access import Access, Commit, WriteAccess
    from secboot.checkpoint.record import Audit, Checkpoint
    from secboot.checkpoint.settings import Setting
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.errors import Ledger
    from secboot.finding import Finding
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.progress import Progress
    from secboot.system.files import FileChange
    from secboot.system.root import Root


_ROUNDS = 3
"""How often zipl runs if boot files change meanwhile."""


class ManagedRoot(NamedTuple):
    """A root whose files are to change, and the means; without `zipl` the boot record is left for later.

    `environment` is as for `secboot.machine.discovery.discover`. `command` is the command line that the
    user typed, `invocation` the part of it that the next command shares. `notice` gets a sentence for the
    user during the work, `log` the checkpoint of each change that has ended, for the system log. `ledger`
    is kept up to date with the state of the machine.

    The layout is detected once per command: no program turns one distribution into another meanwhile.
    """

    root: Root
    state: StateDirectory
    zipl: Zipl | None
    layout: Layout
    environment: Mapping[str, str] | None
    command: tuple[str, ...]
    notice: Callable[[str], None]
    log: Callable[[Checkpoint], None] = lambda _: None
    invocation: Invocation = PLAIN
    progress: Progress = UNWATCHED
    ledger: Ledger | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is the running system, whose settings can be written."""
        return self.environment is not None

    @property
    def commit(self) -> Commit | None:
        """What writes the boot record if a change is rolled back."""
        return None if self.zipl is None else self.zipl.commit

    def discover(
        self, phase: Phase = Phase.READING, changed: Mapping[str, bytes] | None = None
    ) -> Machine:
        """Read the machine as it is now, or as it would be with the contents `changed`."""
        return discover(
            self.root, self.layout.sources, self.environment, self.progress, phase, changed=changed
        )

    def recover(
        self, access: WriteAccess, conflict: Conflict | None = None
    ) -> tuple[RecoveryReport, ...]:
        """Roll back an interrupted change (`recover`), and log it.

        Without a `conflict` argument it is refused while /boot appears not to be mounted.
        """
        if conflict is None:
            require_mounted(self.root, access)
        recovered = recover(access, conflict or Conflict.KEEP)
        for report in recovered:
            self.log(access.store.get(report.checkpoint.id))
        self._warn_of_damage(access)
        return recovered

    def _warn_of_damage(self, access: Access) -> None:
        damage = not_acted_upon(access)
        if damage is not None:
            self.warn(damage.finding, "so it is unknown whether its change was finished")

    def has_remains(self) -> bool:
        """Whether a change was interrupted, or left temporary files (`leaves_remains`)."""
        store = CheckpointStore.existing(self.state)
        if store is None:
            return False
        with store:
            return leaves_remains(store, self.root)

    @contextmanager
    def read_access(self) -> Iterator[ReadAccess | None]:
        """Open what predicts a rollback, without the lock; None if nothing was applied here."""
        store = CheckpointStore.existing(self.state)
        if store is None:
            yield None
            return
        with store:
            paths = BootPaths(self.root, self.layout.sources, self.environment)
            settings = is_reboot_setting if self.is_running else None
            access = ReadAccess(self.root, store, self.invocation, paths.holds, settings)
            self._warn_of_damage(access)
            yield access

    @contextmanager
    def write_access(self) -> Iterator[WriteAccess]:
        """Take the lock and everything else that changing files needs (`write_access`)."""
        paths = BootPaths(self.root, self.layout.sources, self.environment)
        limit, problem = kept(self.root)
        if problem is not None:
            self.warn(problem)
        with write_access(
            self.root,
            self.state,
            commit=self.commit,
            keep=limit,
            notice=self.notice,
            progress=self.progress,
            ledger=self.ledger,
        ) as access:
            names = dict.fromkeys(c.argv[0] for c in self.layout.commit)
            yield access._replace(
                writer=" and ".join(names) or access.writer,
                by_hand=self.invocation.of_programs(tuple(c.argv for c in self.layout.commit)),
                invocation=self.invocation,
                is_ours=paths.holds,
                is_setting=is_reboot_setting if self.is_running else None,
            )

    @contextmanager
    def telling(self, recovered: tuple[RecoveryReport, ...]) -> Iterator[None]:
        """A context for what follows a recovery: if it fails, the recovery is reported all the same."""
        try:
            yield
        except BaseException:
            for report in recovered:
                number = report.checkpoint.id
                self.notice(
                    f"an earlier change ({number}) was interrupted and has been rolled back"
                )
            raise

    def warn(self, finding: Finding, more: str = "") -> None:
        """Give the user a warning during the work."""
        where = "" if finding.location is None else f"{finding.location}: "
        self.notice("\n  ".join(filter(None, [f"{where}warning: {finding.message}", more])))


class Meanwhile(NamedTuple):
    """What other programs did to boot files during a change: paths of files."""

    gone: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()


class Changed(NamedTuple):
    """A change that is complete.

    `checkpoint` is None if no file had to change, `zipl` if it did not run. `machine` is what was read
    afterwards, None if it cannot be read.
    """

    checkpoint: str | None
    zipl: ZiplRun | None
    machine: Machine | None = None
    meanwhile: Meanwhile = Meanwhile()


class ChangeSet(NamedTuple):
    """The files that change together, why, and how to verify the result.

    `machine` is what was found; None if it cannot be read, and then the candidates are not checked.
    `settings` are written at their moments. `verify` gets what was read after the change, and raises if
    that is wrong; without it a machine that cannot be read is not a failure. `needs_commit` is False if
    nothing changes that the boot record is made from. `emptied` are directories that are removed at the end
    if they are empty then.
    """

    changes: tuple[FileChange, ...]
    audit: Audit
    machine: Machine | None
    verify: Callable[[Machine], None] | None = None
    needs_commit: bool = True
    settings: tuple[Setting, ...] = ()
    emptied: tuple[str, ...] = ()

    def contents(self) -> dict[str, bytes | None]:
        """Return the new contents by every path that leads to the files."""
        found = {}
        for change in self.changes:
            found[change.path] = found[change.real_path] = change.after
        return found

    def expected(self, found: Collection[str]) -> dict[str, bytes] | None:
        """Return the boot files as expected after the change; None if unknown.

        zipl may not read a file that is created, so it is expected only if it is `found`.
        """
        if self.machine is None:
            return None
        after = {
            c.real_path: c.after
            for c in self.changes
            if c.before is not None or c.real_path in found
        }
        files = _contents(self.machine) | after
        return {path: data for path, data in files.items() if data is not None}


def change_files(managed: ManagedRoot, access: WriteAccess, change_set: ChangeSet) -> Changed:
    """Replace the files, write the boot record, and verify the result.

    If zipl can run and is needed, it checks the candidates first and writes the boot record afterwards.
    On any failure everything is restored (`Transaction`). In any case the checkpoint is logged.
    Directories are created for new files, and removed if they are empty after a rollback.
    """
    zipl = managed.zipl if change_set.needs_commit else None
    # The removal of a file that is not a boot entry cannot be checked beforehand.
    checkable = all(c.after is not None or is_bls_entry(c.path) for c in change_set.changes)
    if zipl is not None and zipl.is_direct and change_set.machine is not None and checkable:
        new = change_set.contents()
        check_candidates(
            managed.root, managed.state, zipl, change_set.machine, new, managed.progress
        )
    made: list[str] = []
    try:
        for change in change_set.changes:
            if change.before is None:
                made += managed.root.make_directories(change.real_path.rpartition("/")[0])
        transaction = Transaction.begin(
            access, change_set.changes, change_set.audit, change_set.settings, tuple(made)
        )
    except BaseException:
        managed.root.discard_directories(made)
        raise
    try:
        with transaction:
            transaction.write_files()
            if zipl is not None:
                transaction.committing()
            changed = _commit(managed, access, change_set, zipl)
            transaction.settle()
            pending = PENDING if change_set.needs_commit else "not-needed"
            run = changed.zipl
            transaction.done({"zipl": pending if run is None else run.facts()})
        managed.root.discard_directories(change_set.emptied)
        return changed._replace(checkpoint=transaction.checkpoint.id)
    finally:
        managed.log(transaction.checkpoint)


def _commit(
    managed: ManagedRoot, access: WriteAccess, change_set: ChangeSet, zipl: Zipl | None
) -> Changed:
    """Write the boot record and read everything again, until the record matches the files.

    Other programs may add and remove boot entries meanwhile, for example the installation of a kernel.
    They run zipl themselves at the end, so a few rounds are enough.
    """
    run, machine, planned, found, seen = None, None, None, None, None
    for _ in range(_ROUNDS):
        run = None if zipl is None else zipl.install(access.lock.inherited)
        machine = _read_back(managed, change_set)
        found = None if machine is None else _contents(machine)
        planned = change_set.expected(found or ())
        expected = planned if seen is None else seen
        if zipl is None or not zipl.is_direct or None in (expected, found) or found == expected:
            break
        seen = found
    known = planned is not None and machine is not None and not machine.sources.generated
    # If programs of the layout write the files, a difference is their work.
    meanwhile = _since(planned or {}, found or {}) if known else Meanwhile()
    return Changed(None, run, machine, meanwhile)


def _read_back(managed: ManagedRoot, change_set: ChangeSet) -> Machine | None:
    if change_set.verify is None:
        try:
            return managed.discover(Phase.READING_BACK)
        except SecbootError:
            return None
    machine = managed.discover(Phase.READING_BACK)
    change_set.verify(machine)
    return machine


def _contents(machine: Machine) -> dict[str, bytes]:
    return {file.real_path: file.data for file in machine.files}


def _since(planned: Mapping[str, bytes], found: Mapping[str, bytes]) -> Meanwhile:
    return Meanwhile(
        gone=tuple(sorted(planned.keys() - found.keys())),
        came=tuple(sorted(found.keys() - planned.keys())),
        edited=tuple(sorted(p for p, data in planned.items() if found.get(p, data) != data)),
    )


def problem_key(problem: Finding) -> str:
    """Return what of a problem does not change if lines above it do: everything but the line number."""
    path = "" if problem.location is None else problem.location.path
    return f"{problem.code} {path}: {problem.message}"
