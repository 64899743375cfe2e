"""Running zipl: checking candidate files before they count, and writing the boot record after.

On the running system zipl is run as it is; for another tree it is run inside it with chroot(8),
which needs a kernel, or an emulator that the kernel knows (binfmt_misc), for its s390x programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.machine.zipl_program import find_zipl
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.machine.root import Root
    from secboot.machine.runner import Completed, Runner

SHOWN_LINES = 12
"""Lines of zipl's own words that an error repeats; the last ones say why."""


class ZiplFailedError(RefusedError):
    """zipl ran and reported a failure."""


@dataclass(frozen=True, slots=True)
class ZiplRun:
    """One run of zipl that succeeded."""

    argv: tuple[str, ...]
    duration: float

    def facts(self) -> dict[str, object]:
        """Return what the journal remembers of it, as JSON values."""
        return {"argv": list(self.argv), "status": 0, "seconds": round(self.duration, 3)}


@dataclass(frozen=True, slots=True)
class Zipl:
    """The zipl of one root. `chroot` is that root, or None for the running system.

    `environment` is what zipl needs of ours (``ZIPLCONF``); `timeout` is in seconds, for one run.
    """

    runner: Runner
    timeout: float
    chroot: str | None = None
    environment: Mapping[str, str] | None = None

    def require_available(self, root: Root) -> None:
        """Raise RefusedError when zipl can't be run in its root; nothing has been changed yet."""
        if self.chroot is None:
            missing = None if self.runner.find("zipl") else "zipl is not installed here"
        elif find_zipl(root) is None:
            missing = f"zipl is not installed in {visible(self.chroot)}"
        else:
            missing = None if self.runner.find("chroot") else "chroot is not installed here"
        if missing is not None:
            raise RefusedError(
                f"{missing}, so the boot record can't be written",
                hint="install s390-tools there, or leave zipl for later with --no-zipl",
            )

    def check(self, conf: str, bls_directory: str | None) -> ZiplRun:
        """Let zipl check candidate files without changing anything (zipl(8), --dry-run).

        Raises `ZiplFailedError` with zipl's own words when it refuses them.
        """
        words = ["zipl", "--dry-run", "--config", conf]
        if bls_directory is not None:
            words += ["--blsdir", bls_directory]
        return self._run(words, (), "zipl refuses the new boot files")

    def install(self, inherited: Sequence[int] = ()) -> ZiplRun:
        """Write the boot record from the files as they are. Raises `ZiplFailedError`.

        `inherited` are open files that zipl keeps: the lock lives as long as it does.
        """
        return self._run(["zipl"], inherited, "zipl failed")

    def commit(self, inherited: tuple[int, ...]) -> Mapping[str, object]:
        """Write the boot record; the form that a transaction's way back takes."""
        return self.install(inherited).facts()

    def _run(self, words: Sequence[str], inherited: Sequence[int], failure: str) -> ZiplRun:
        prefix = () if self.chroot is None else ("chroot", self.chroot)
        done = self.runner.run(
            (*prefix, *words),
            timeout=self.timeout,
            environment=self.environment,
            inherited=inherited,
        )
        if not done.succeeded:
            raise ZiplFailedError(f"{failure}: {_words_of(done)}", hint=_hint(done))
        return ZiplRun(done.argv, done.duration)


def _words_of(done: Completed) -> str:
    text = done.stderr.strip() or done.stdout.strip()
    lines = [visible(line) for line in text.split("\n") if line.strip()]
    if not lines:
        return f"exit status {done.status}, without a word"
    return "\n  ".join(lines[-SHOWN_LINES:])


def _hint(done: Completed) -> str:
    if done.status < 0:
        return f"it was ended by signal {-done.status}"
    return f"run by hand to see more: {' '.join(visible(word) for word in done.argv)} -V"
