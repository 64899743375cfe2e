"""The system that a command works on, made once from the options that verbs share."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from secboot.checkpoint.state_directory import StateDirectory
from secboot.cli.options import HERE
from secboot.cli.printing import is_quiet, print_message
from secboot.cli.state_line import ledger
from secboot.errors import RefusedError, SecbootError
from secboot.finding import Finding, Severity
from secboot.invocation import Invocation
from secboot.progress import UNWATCHED, Progress
from secboot.system.file_errors import FileError
from secboot.system.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.apply.change import ManagedRoot
    from secboot.apply.zipl import Zipl
    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.store import CheckpointStore
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.running.system import LiveFacts, RebootSettings
    from secboot.status.trial import TrialStanding

_ONE_WAY = frozenset({"", "dumb", "unknown", "ibm327x"})
"""Values of TERM for terminals that cannot rewrite a line (line-mode consoles of IBM Z)."""


class Site:
    """A root directory and how this command works on it; a context manager that keeps it open.

    The arguments are the options of the same names, as typed; `words` are those of ``secboot set``.
    With `watched`, for text output, `progress` shows long steps on the terminal; a reader of JSON
    may read standard error, too.
    """

    def __init__(
        self,
        root: Path,
        *,
        profile: str | None = None,
        words: tuple[str, ...] = (),
        layout: str | None = None,
        state_dir: Path | None = None,
        zipl: bool | None = None,
        zipl_timeout: float = 0,
        watched: bool = True,
    ) -> None:
        self._path = root
        self._zipl_timeout = zipl_timeout
        self.is_running_system = is_running_system(root)
        self._asked_for_zipl = zipl
        self.invocation = Invocation(
            profile,
            root=None if root == HERE else str(root),
            state_dir=None if state_dir is None else str(state_dir),
            layout=layout,
            words=words,
        )
        self._open = ExitStack()
        self.progress = self._open.enter_context(_progress()) if watched else UNWATCHED
        self.root = self._open.enter_context(Root(root))
        self.state = StateDirectory(self.root, state_dir)
        self._open.callback(self.state.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, SecbootError) and error.hint:
            error.hint = self.invocation.in_text(error.hint)
        self._open.close()

    @cached_property
    def layout(self) -> Layout:
        """The layout, as named or detected.

        It is determined once per command: no other program turns one distribution into another
        while the command runs.
        """
        from secboot.layout.detect import detect_layout

        return detect_layout(self.root, self.invocation.layout)

    @cached_property
    def runs_zipl(self) -> bool:
        """Whether zipl, or the programs of the layout that call it, should run."""
        if self._asked_for_zipl is not None:
            return self._asked_for_zipl
        return self.is_running_system and not self._is_build_step

    @cached_property
    def _is_build_step(self) -> bool:
        """Whether the root is / during an image build: there is no zipl and no boot record.

        If there is a boot record, this machine needs zipl, and its absence is an error.
        """
        from secboot.machine.installed_zipl import has_usual_record
        from secboot.system.program_search import find_program

        names = {command.argv[0] for command in self.layout.commit}
        lacks = any(find_program(self.root, name) is None for name in names)
        return lacks and not has_usual_record(self.root)

    @property
    def environment(self) -> Mapping[str, str] | None:
        """The environment variables that apply to the root: a tree inherits none of its host."""
        if not self.is_running_system:
            return None
        named = os.environ.get("ZIPLCONF")
        return {} if named is None else {"ZIPLCONF": str(Path(named).absolute())}

    def machine(
        self, *, unconfigured: bool = False, changed: Mapping[str, bytes] | None = None
    ) -> Machine:
        """Read the boot configuration as it is now, or as it would be with the files of `changed`.

        With `unconfigured`, for commands that only report, it may be missing. A verb that only reads
        does this once. The flows that change something read it through their managed root, as often
        as needed: without the lock, under it, and afterwards.
        """
        from secboot.machine.discovery import discover

        return discover(
            self.root,
            self.layout.sources,
            self.environment,
            self.progress,
            unconfigured=unconfigured,
            changed=changed,
        )

    def reboot_settings(self, boot_record: str) -> RebootSettings | None:
        """Return what a reboot starts from; None if the root is not the running system."""
        if not self.is_running_system:
            return None
        from secboot.running.system import read_reboot_settings

        return read_reboot_settings(self.root, boot_record)

    def live_facts(self, boot_record: str) -> LiveFacts | None:
        """Return what a plan must know about the running system; None for any other root."""
        if not self.is_running_system:
            return None
        from secboot.running.system import read_live_facts

        return read_live_facts(self.root, boot_record)

    def trial(self, machine: Machine, checkpoint: Checkpoint | None = None) -> TrialStanding | None:
        """Return the state of the trial on this machine; None if there is no trial.

        Without `checkpoint`, its checkpoint is searched for if the machine has the boot entry of one.
        """
        entry = next((e for e in machine.configuration.entries if e.is_trial), None)
        if checkpoint is None and entry is not None:
            checkpoint = self.trial_checkpoint()
        if checkpoint is None and entry is None:
            return None
        from secboot.status.trial import trial_standing, unrecorded

        trial = None if checkpoint is None else checkpoint.record.audit.trial
        if checkpoint is None or trial is None:
            for_root = self.is_running_system and not is_root()
            return None if entry is None else unrecorded(entry, self.invocation, for_root=for_root)
        from secboot.running.system import read_boot_facts

        path = machine.bootmap.path
        facts = read_boot_facts(self.root, path) if self.is_running_system else None
        choices = self.layout.next_ipl_of(machine).choices
        return trial_standing(checkpoint, trial, machine, choices, facts, self.invocation)

    def trial_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the current trial, if there is one that can be read."""
        from secboot.checkpoint.record import Checkpoint
        from secboot.checkpoint.undo import standing_trial

        try:
            with self.checkpoints() as store:
                found = None if store is None else standing_trial(store.newest_first())
        except FileError:
            return None
        return found if isinstance(found, Checkpoint) else None

    def managed_root(self, *, looks_only: bool = False) -> ManagedRoot:
        """Return what the flows that change something work on; nothing is written yet.

        Raises RefusedError if the privileges for a change are missing, unless the caller `looks_only`.
        """
        from secboot.apply.change import ManagedRoot
        from secboot.checkpoint.log import log_change

        if self.is_running_system and not is_root() and not looks_only:
            raise RefusedError(
                "only root can change this machine's boot files and boot record",
                hint="run it with sudo; `secboot plan` and `--dry-run` work without",
            )
        if self._asked_for_zipl is None and self.is_running_system and not self.runs_zipl:
            names = " and ".join(command.argv[0] for command in self.layout.commit)
            self._notice(
                f"{names} cannot run here and there is no boot record, as in an image build: zipl is"
                " left for later (--no-zipl)"
            )
        return ManagedRoot(
            root=self.root,
            state=self.state,
            zipl=self._zipl() if self.runs_zipl else None,
            layout=self.layout,
            environment=self.environment,
            command=("secboot", *sys.argv[1:]),
            invocation=self.invocation,
            notice=self._notice,
            log=log_change if self.is_running_system else _no_log,
            progress=self.progress,
            ledger=ledger(),
        )

    @contextmanager
    def checkpoints(self) -> Iterator[CheckpointStore | None]:
        """Open the checkpoints for reading, without the lock; None if nothing was applied here."""
        state = self.state.open()
        if state is None:
            # Then the module that reads checkpoints is not needed, either.
            yield None
            return
        from secboot.checkpoint.store import CheckpointStore

        with CheckpointStore(state) as store:
            yield store

    def unfinished_change(self) -> Finding | None:
        """Return the finding about an interrupted change, or one that may have been interrupted.

        Only root can read the checkpoints; for other users there is nothing to report.
        """
        try:
            with self.checkpoints() as store:
                newest = store.newest() if store is not None else None
        except FileError:
            return None
        if newest is None:
            return None
        from secboot.checkpoint.store import Damage

        if isinstance(newest, Damage):
            doubt = ", so it is unknown whether its change was finished"
            return newest.finding._replace(message=newest.finding.message + doubt)
        if newest.state.finished:
            return None
        from secboot.checkpoint.journal import State

        message = (
            f"the change of checkpoint {newest.id} is unfinished ({newest.state}): it is still"
            " running, or was interrupted; the next apply or rollback recovers from it first"
        )
        if newest.state is State.STUCK:
            message = (
                f"the rollback of checkpoint {newest.id} failed: do not re-IPL before it has"
                " succeeded; the next apply or rollback tries again"
            )
        hint = self.invocation.command("rollback")
        return Finding("unfinished-change", Severity.WARNING, message, hint=hint)

    def _zipl(self) -> Zipl:
        from secboot.apply.zipl import ZIPL, Zipl
        from secboot.system.programs import SystemRunner

        return Zipl(
            runner=SystemRunner(),
            timeout=self._zipl_timeout,
            chroot=None if self.is_running_system else str(self._path.absolute()),
            environment=self.environment,
            programs=tuple(program.argv for program in self.layout.commit) or (ZIPL,),
            progress=self.progress,
        )

    def _notice(self, sentence: str) -> None:
        with self.progress.hidden():
            print_message(f"secboot: {sentence}")


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show progress if standard error is a terminal that can rewrite a line.

    At the end of the context the line is erased, and the cursor is where it was.
    """
    stream = sys.stderr
    # The stream is None when it is closed.
    one_way = os.environ.get("TERM", "") in _ONE_WAY
    if stream is None or one_way or is_quiet() or not stream.isatty():
        yield UNWATCHED
        return
    from secboot.cli.progress_line import ProgressLine, Screen

    with ProgressLine(Screen(stream.fileno())) as line:
        yield line


def is_running_system(root: Path) -> bool:
    """Tell whether the root is that of the running system."""
    try:
        return root.samefile("/")
    except OSError:
        return False


def is_root() -> bool:
    """Tell whether this user may change the boot files and the boot record of the running system."""
    return os.geteuid() == 0


def _no_log(_checkpoint: Checkpoint) -> None:
    """Keep changes to images out of the system log of the machine that builds them."""
