"""``secboot`` on a cell of the test bed, where a script runs zipl, as binfmt_misc would do.

``serve`` answers requests, one line of JSON each, and forks a process for each of them. A request
can end its process by a signal at a chosen effect: a call that changes files, or the start of a
program. So a kill can be reproduced exactly. To confirm a trial, which only the running system can
do, the cell is treated as the running system. Otherwise the words are those of one command, for
hooks that call secboot.

    python -m tests.s390x.emulated_secboot ZIPL serve
    python -m tests.s390x.emulated_secboot ZIPL WORDS...
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import FrameType

import secboot
from secboot.cli import main, site
from secboot.system.programs import Completed, SystemRunner
from tests.command import Said, forked

_EFFECTS = frozenset(
    {
        *("write", "pwrite", "fsync", "fdatasync", "rename", "replace", "unlink", "link"),
        *("mkdir", "rmdir", "fchmod", "fchown", "ftruncate", "setxattr", "open"),
    }
)
_SYSTEM_CALLS = frozenset({"exchange", "rename_new"})
_STARTED = "_start"


def end_at(effect: int, signal: int) -> None:
    """Send this process the signal when it reaches its `effect`-th effect."""
    left = effect

    def count(frame: FrameType, event: str, about: object) -> None:
        nonlocal left
        name = frame.f_code.co_name
        hit = (
            (
                event == "c_call"
                and getattr(about, "__module__", None) == "posix"
                and getattr(about, "__name__", None) in _EFFECTS
            )
            or (event == "call" and name in _SYSTEM_CALLS)
            or (event == "return" and name == _STARTED)
        )
        left -= hit
        if hit and left == 0:
            os.kill(os.getpid(), signal)

    sys.setprofile(count)


def emulate(zipl: str) -> None:
    """Replace every run of zipl, in a root or not, by one of the script `zipl`."""
    run, find = SystemRunner.run, SystemRunner.find

    def emulated(
        self: SystemRunner,
        argv: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Completed:
        name, *words = argv[2:] if argv[0] == "chroot" else argv
        assert name == "zipl", argv
        done = run(
            self, [zipl, *words], timeout=timeout, environment=environment, inherited=inherited
        )
        return done._replace(argv=tuple(argv))

    def found(self: SystemRunner, name: str) -> str | None:
        return zipl if name == "zipl" else find(self, name)

    SystemRunner.find = found  # type: ignore[method-assign]  # as the next one
    SystemRunner.run = emulated  # type: ignore[method-assign]  # the one way in for a whole command line


def _answer(words: Sequence[str], effect: int, signal: int) -> Said:
    def work() -> int:
        if words[0] == "confirm":
            site.is_running_system = lambda _: True  # type: ignore[assignment]  # as above
        if effect:
            end_at(effect, signal)
        return main([*words])

    return forked(work)


def serve() -> None:
    """Answer requests until there are no more."""
    for module in walk_packages(secboot.__path__, "secboot."):
        if module.name != "secboot.__main__":
            import_module(module.name)  # once, instead of in each process
    for line in sys.stdin:
        answer = _answer(*json.loads(line))
        sys.stdout.write(json.dumps(asdict(answer)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    emulate(str(Path(sys.argv[1])))
    if sys.argv[2:] == ["serve"]:
        serve()
    else:
        sys.exit(main(sys.argv[2:]))
