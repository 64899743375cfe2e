"""Running zipl: checking candidate files before they take effect, and then writing the boot record.

On the running system zipl runs directly. For another tree it runs inside that tree with chroot(8), which
needs a kernel that can run s390x programs, natively or with an emulator (binfmt_misc). If a layout has
programs that generate zipl's input and then call it, these run instead.

zipl accepts the configuration file and the directory of BLS entries on its command line, so the candidates
are written to private directories, which are removed afterwards. A parmfile is named inside zipl.conf; for
the check its name is replaced by the path of the candidate.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from secboot.checkpoint.refused_files import refused_files
from secboot.errors import RefusedError
from secboot.formats.text import decoded, encoded
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import BLS_DIRECTORY, is_bls_entry
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase
from secboot.system.file_errors import FileError
from secboot.system.program_search import find_program
from secboot.visible import shell_word, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.machine.discovery import Machine
    from secboot.progress import Progress
    from secboot.system.directory import PrivateDirectory
    from secboot.system.programs import Completed, Runner
    from secboot.system.root import Root

SHOWN_LINES = 12
"""How many of the last lines of zipl's output an error message quotes."""


class ZiplFailedError(RefusedError):
    """zipl ran and failed; `done` is that run."""

    def __init__(self, message: str, done: Completed, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.done = done


ZIPL = ("zipl",)


REFUSES = "zipl refuses the new boot files"


class Candidates(NamedTuple):
    """Files that zipl reads instead of the boot files, by their paths in its root directory."""

    conf: str
    bls_directory: str | None
    environment: str | None

    @property
    def command(self) -> tuple[str, ...]:
        """The command that checks them without changing anything (zipl(8), --dry-run)."""
        words = ["zipl", "--dry-run", "--config", self.conf]
        if self.bls_directory is not None:
            words += ["--blsdir", self.bls_directory]
        if self.environment is not None:
            words.append(f"--environment={self.environment}")
        return tuple(words)


class ZiplRun(NamedTuple):
    """A successful run of zipl, or of the programs of a layout.

    `argv` is the command line of the last program, `before` are those of the programs that ran before it;
    `duration` is the total time in seconds. `programs` are their names, without chroot.
    """

    argv: tuple[str, ...]
    duration: float
    programs: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()

    def facts(self) -> dict[str, object]:
        """Return what the journal records about it, as JSON values."""
        facts: dict[str, object] = {
            "argv": list(self.argv),
            "status": 0,
            "seconds": round(self.duration, 3),
        }
        return facts | {"before": [list(argv) for argv in self.before]} if self.before else facts


class Zipl(NamedTuple):
    """The zipl of one root. `chroot` is that root, or None for the running system.

    `environment` is the part of secboot's environment that zipl needs (``ZIPLCONF``); `timeout` is in
    seconds, for one run. `programs` are what the layout runs to write the boot record, in order.
    `progress` receives which one runs.
    """

    runner: Runner
    timeout: float
    chroot: str | None = None
    environment: Mapping[str, str] | None = None
    programs: tuple[tuple[str, ...], ...] = (ZIPL,)
    progress: Progress = UNWATCHED

    @property
    def is_direct(self) -> bool:
        """Whether zipl itself reads the changed files, so that it can check candidates."""
        return self.programs == (ZIPL,)

    def require_available(self, root: Root) -> None:
        """Raise RefusedError if zipl cannot run in its root; nothing has been changed yet."""
        for name in dict.fromkeys(argv[0] for argv in self.programs):
            missing = self._missing(root, name)
            if missing is not None:
                raise RefusedError(
                    f"{missing}, so the boot record cannot be written",
                    hint=f"install the package that contains {name}, or leave the boot record for later with --no-zipl",
                )

    def _missing(self, root: Root, name: str) -> str | None:
        if self.chroot is None:
            return None if self.runner.find(name) else f"{name} is not installed here"
        if find_program(root, name) is None:
            return f"{name} is not installed in {visible(self.chroot)}"
        return None if self.runner.find("chroot") else "chroot is not installed here"

    def check(self, candidates: Candidates) -> ZiplRun:
        """Let zipl check candidate files without changing anything.

        Raises `ZiplFailedError` with the output of zipl if it refuses them.
        """
        return self._run(candidates.command, (), REFUSES)

    def install(
        self, inherited: Sequence[int] = (), only: Collection[tuple[str, ...]] | None = None
    ) -> ZiplRun:
        """Write the boot record from the files as they are. Raises `ZiplFailedError`.

        zipl inherits the open files `inherited`: the lock is held as long as it runs. Of the programs of
        the layout, those in `only` run, by default all.
        """
        runs = [
            self._run(argv, inherited, f"{argv[0]} failed")
            for argv in self.programs
            if only is None or argv in only
        ]
        duration = sum(run.duration for run in runs)
        names = tuple(name for run in runs for name in run.programs)
        return ZiplRun(runs[-1].argv, duration, names, tuple(run.argv for run in runs[:-1]))

    def commit(self, inherited: tuple[int, ...]) -> Mapping[str, object]:
        """Write the boot record, for the rollback of a transaction."""
        return self.install(inherited).facts()

    def _run(self, words: Sequence[str], inherited: Sequence[int], failure: str) -> ZiplRun:
        shown = words[:2] if "--dry-run" in words[1:2] else words[:1]
        self.progress.report(Phase.RUNNING, program=" ".join(shown))
        done = self.runner.run(
            self.in_root(words),
            timeout=self.timeout,
            environment=self.environment,
            inherited=inherited,
        )
        if not done.succeeded:
            raise ZiplFailedError(f"{failure}: {words_of(done)}", done, _hint(done))
        return ZiplRun(done.argv, done.duration, (words[0],))

    def in_root(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the command that runs `words` in the root."""
        prefix = () if self.chroot is None else ("chroot", self.chroot)
        return (*prefix, *words)


def words_of(done: Completed) -> str:
    """Return the last lines of a program's output, made visible, for an error message."""
    text = done.stderr.strip() or done.stdout.strip()
    lines = [visible(line) for line in text.split("\n") if line.strip()]
    if not lines:
        return f"exit status {done.status}, no output"
    return "\n  ".join(lines[-SHOWN_LINES:])


def _hint(done: Completed) -> str:
    if done.status < 0:
        return f"it was killed by signal {-done.status}"
    return _by_hand(done.argv)


def _by_hand(words: Sequence[str]) -> str:
    verbose = " -V" if "zipl" in words else ""
    return f"run it by hand to see more: {' '.join(map(shell_word, words))}{verbose}"


def check_candidates(
    root: Root,
    state: StateDirectory,
    zipl: Zipl,
    machine: Machine,
    new_contents: Mapping[str, bytes | None],
    progress: Progress = UNWATCHED,
) -> None:
    """Have zipl check the machine's files with the new contents, by path; None for a removed boot entry.

    Raises ZiplFailedError if zipl refuses them; no boot file has changed then. The refused files are kept
    in the state directory, and the error names them there.
    """
    with ExitStack() as directories:
        files = directories.enter_context(root.private_directory())
        entries = None
        if any(map(is_bls_entry, new_contents)):
            entries = directories.enter_context(root.private_directory())
        candidates = _write(files, entries, machine, new_contents, progress)
        directories.callback(progress.report, Phase.TIDYING)
        try:
            zipl.check(candidates)
        except ZiplFailedError as error:
            said = words_of(error.done)
            hint = [error.hint] if error.done.status < 0 and error.hint else []
            shown = ""
            with suppress(FileError), refused_files(state) as kept:
                entries_kept = None if entries is None else kept.entries
                copies = _write(kept.files, entries_kept, machine, new_contents, UNWATCHED)
                shown = f"{visible(kept.shown)}/"
                hint.append(f"the refused files are kept in {visible(kept.shown)}")
                if kept.in_root or zipl.chroot is None:
                    hint.append(_by_hand(zipl.in_root(copies.command)))
            # The paths that zipl names are removed before anybody can look at them.
            said = said.replace(f"{files.path}/", shown)
            if entries is not None:
                said = said.replace(f"{entries.path}/", f"{shown}entries/" if shown else "")
            message = f"{REFUSES}: {said}"
            raise ZiplFailedError(message, error.done, "\n".join(hint) or None) from error


def _write(
    files: PrivateDirectory,
    entries: PrivateDirectory | None,
    machine: Machine,
    new_contents: Mapping[str, bytes | None],
    progress: Progress,
) -> Candidates:
    if entries is not None:
        _write_entries(entries, machine, new_contents, progress)
    conf = _write_conf(files, machine, new_contents)
    environment = _write_environment(files, new_contents)
    return Candidates(conf, None if entries is None else entries.path, environment)


def _write_entries(
    copies: PrivateDirectory,
    machine: Machine,
    new_contents: Mapping[str, bytes | None],
    progress: Progress,
) -> None:
    """Copy all boot entries with their new contents, and new ones."""
    contents: dict[str, bytes | None] = {file.path: file.data for file in machine.files}
    contents.update(new_contents)
    found = (entry.path for entry in machine.configuration.bls)
    entries = dict.fromkeys((*found, *filter(is_bls_entry, new_contents)))
    for number, path in enumerate(entries, start=1):
        if (data := contents[path]) is not None:
            copies.write(path.removeprefix(f"{BLS_DIRECTORY}/"), data)
        progress.report(Phase.COPYING, number, len(entries))


def _write_environment(
    directory: PrivateDirectory, new_contents: Mapping[str, bytes | None]
) -> str | None:
    data = new_contents.get(ZIPLENV)
    return None if data is None else directory.write("ziplenv", data)


def _write_conf(
    directory: PrivateDirectory, machine: Machine, new_contents: Mapping[str, bytes | None]
) -> str:
    conf = machine.configuration.conf
    new_conf = new_contents.get(machine.conf_path)
    if new_conf is not None:
        conf = ZiplConf.parse(decoded(new_conf), machine.conf_path)
    parmfiles = [(path, data) for path in machine.parmfiles if (data := new_contents.get(path))]
    candidates = {
        path: directory.write(f"parmfile-{number}", data)
        for number, (path, data) in enumerate(parmfiles)
    }
    conf = _with_parmfiles(conf, candidates)
    return directory.write("zipl.conf", encoded(conf.render()))


def _with_parmfiles(conf: ZiplConf, candidates: Mapping[str, str]) -> ZiplConf:
    """Return the configuration with other parmfiles; a load address after a name stays."""
    values = {
        section.name: candidate + value.removeprefix(path)
        for section in conf.sections
        if (value := section.value(Keyword.PARMFILE)) is not None
        for path, candidate in candidates.items()
        if value == path or value.startswith(f"{path},")
    }
    return conf.with_values(Keyword.PARMFILE, values)
