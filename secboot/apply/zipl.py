"""Running zipl: checking candidate files before they count, and writing the boot record after.

On the running system zipl is run as it is; for another tree it is run inside it with chroot(8),
which needs a kernel, or an emulator that the kernel knows (binfmt_misc), for its s390x programs.
Where a layout has programs that generate zipl's input and then call it, these are run instead.

zipl takes the configuration file and the directory of BLS entries from its command line, so the
candidates go to private directories that are removed afterwards. A parmfile is named inside
zipl.conf: there the candidate's path is put in for the check.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.text import decoded, encoded
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import BLS_DIRECTORY, is_bls_entry
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase
from secboot.system.programs import find_program
from secboot.visible import shell_word, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from secboot.machine.discovery import Machine
    from secboot.progress import Progress
    from secboot.system.directory import PrivateDirectory
    from secboot.system.programs import Completed, Runner
    from secboot.system.root import Root

SHOWN_LINES = 12
"""Lines of zipl's own words that an error repeats; the last ones say why."""


class ZiplFailedError(RefusedError):
    """zipl ran and reported a failure."""


ZIPL = ("zipl",)


class ZiplRun(NamedTuple):
    """One run of zipl, or of a layout's programs, that succeeded.

    `argv` is that of the last program, `before` are those that ran before it; `duration` is that
    of them all, in seconds. `programs` are their names, whatever ran them in the root.
    """

    argv: tuple[str, ...]
    duration: float
    programs: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()

    def facts(self) -> dict[str, object]:
        """Return what the journal remembers of it, as JSON values."""
        facts: dict[str, object] = {
            "argv": list(self.argv),
            "status": 0,
            "seconds": round(self.duration, 3),
        }
        return facts | {"before": [list(argv) for argv in self.before]} if self.before else facts


class Zipl(NamedTuple):
    """The zipl of one root. `chroot` is that root, or None for the running system.

    `environment` is what zipl needs of ours (``ZIPLCONF``); `timeout` is in seconds, for one run.
    `programs` are what the layout runs to write the boot record, in order. `progress` is told which
    one runs.
    """

    runner: Runner
    timeout: float
    chroot: str | None = None
    environment: Mapping[str, str] | None = None
    programs: tuple[tuple[str, ...], ...] = (ZIPL,)
    progress: Progress = UNWATCHED

    @property
    def is_direct(self) -> bool:
        """Whether zipl itself reads the files that change, so that it can check candidates."""
        return self.programs == (ZIPL,)

    def require_available(self, root: Root) -> None:
        """Raise RefusedError when zipl can't be run in its root; nothing has been changed yet."""
        for name in dict.fromkeys(argv[0] for argv in self.programs):
            missing = self._missing(root, name)
            if missing is not None:
                raise RefusedError(
                    f"{missing}, so the boot record can't be written",
                    hint=f"install what has {name}, or leave it for later with --no-zipl",
                )

    def _missing(self, root: Root, name: str) -> str | None:
        if self.chroot is None:
            return None if self.runner.find(name) else f"{name} is not installed here"
        if find_program(root, name) is None:
            return f"{name} is not installed in {visible(self.chroot)}"
        return None if self.runner.find("chroot") else "chroot is not installed here"

    def check(
        self, conf: str, bls_directory: str | None, environment: str | None = None
    ) -> ZiplRun:
        """Let zipl check candidate files without changing anything (zipl(8), --dry-run).

        Raises `ZiplFailedError` with zipl's own words when it refuses them.
        """
        words = ["zipl", "--dry-run", "--config", conf]
        if bls_directory is not None:
            words += ["--blsdir", bls_directory]
        if environment is not None:
            words.append(f"--environment={environment}")
        return self._run(words, (), "zipl refuses the new boot files")

    def install(
        self, inherited: Sequence[int] = (), only: Collection[tuple[str, ...]] | None = None
    ) -> ZiplRun:
        """Write the boot record from the files as they are. Raises `ZiplFailedError`.

        `inherited` are open files that zipl keeps: the lock lives as long as it does. Of the
        layout's programs those in `only` are run, by default all.
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
        """Write the boot record; the form that a transaction's way back takes."""
        return self.install(inherited).facts()

    def _run(self, words: Sequence[str], inherited: Sequence[int], failure: str) -> ZiplRun:
        shown = words[:2] if words[1:2] == ["--dry-run"] else words[:1]
        self.progress.report(Phase.RUNNING, program=" ".join(shown))
        prefix = () if self.chroot is None else ("chroot", self.chroot)
        done = self.runner.run(
            (*prefix, *words),
            timeout=self.timeout,
            environment=self.environment,
            inherited=inherited,
        )
        if not done.succeeded:
            raise ZiplFailedError(f"{failure}: {words_of(done)}", hint=_hint(done))
        return ZiplRun(done.argv, done.duration, (words[0],))


def words_of(done: Completed) -> str:
    """Return the last lines of what a program said, made visible, for an error message."""
    text = done.stderr.strip() or done.stdout.strip()
    lines = [visible(line) for line in text.split("\n") if line.strip()]
    if not lines:
        return f"exit status {done.status}, without a word"
    return "\n  ".join(lines[-SHOWN_LINES:])


def _hint(done: Completed) -> str:
    if done.status < 0:
        return f"it was ended by signal {-done.status}"
    verbose = " -V" if "zipl" in done.argv else ""
    return f"run by hand to see more: {' '.join(map(shell_word, done.argv))}{verbose}"


def check_candidates(
    root: Root,
    zipl: Zipl,
    machine: Machine,
    new_contents: Mapping[str, bytes | None],
    progress: Progress = UNWATCHED,
) -> None:
    """Have zipl check the machine's files with the new contents, which are given by path.

    None stands for a boot entry that is to vanish.

    Raises ZiplFailedError when it refuses them; nothing of the machine has changed then.
    """
    with ExitStack() as directories:
        directory = directories.enter_context(root.private_directory())
        bls = None
        if any(map(is_bls_entry, new_contents)):
            copies = directories.enter_context(root.private_directory())
            _write_entries(copies, machine, new_contents, progress)
            bls = copies.path
        conf = _write_conf(directory, machine, new_contents)
        directories.callback(progress.report, Phase.TIDYING)
        zipl.check(conf, bls, _write_environment(directory, new_contents))


def _write_entries(
    copies: PrivateDirectory,
    machine: Machine,
    new_contents: Mapping[str, bytes | None],
    progress: Progress,
) -> None:
    """Copy all entries, with the new contents of those that have one, and those that are new."""
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
    """Return the configuration with other parmfiles; a load address behind a name stays."""
    values = {
        section.name: candidate + value.removeprefix(path)
        for section in conf.sections
        if (value := section.value(Keyword.PARMFILE)) is not None
        for path, candidate in candidates.items()
        if value == path or value.startswith(f"{path},")
    }
    return conf.with_values(Keyword.PARMFILE, values)
