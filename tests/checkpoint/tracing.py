"""Running cases under strace, with one fault each; see `tests.checkpoint.zygote`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.available import unavailable
from tests.checkpoint.zygote import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterable

ZYGOTE = Path(__file__).with_name("zygote.py")

MARGIN = 40
"""How many more calls than counted a start-up may make (byte code that is not cached yet)."""


@dataclass(frozen=True)
class Case:
    """A verb on a tree; the fault hits the call number `at` (from 1) of the system call `call`."""

    verb: str
    scene: str
    tree: str
    call: str
    at: int

    def __str__(self) -> str:
        return f"{self.scene} {self.verb}: {self.call} number {self.at}"


def require_strace() -> None:
    """Skip the test if tracing is impossible; on CI that is a failure."""
    reason = None
    if shutil.which("strace") is None:
        reason = "strace is not installed"
    elif subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode:
        reason = "tracing is not permitted here"
    if reason:
        unavailable(reason)


@dataclass(frozen=True)
class Calls:
    """How often each system call is made: by the zygote as it starts, and by each case."""

    start_up: Counter[str]
    cases: list[Counter[str]]

    def when(self, call: str) -> int:
        """The call number at which strace injects the fault: higher than any call without it."""
        return self.start_up[call] + max(case[call] for case in self.cases) + MARGIN

    def injections(self, calls: Iterable[str], fault: str) -> list[str]:
        """strace's options for `fault` ("error=EIO", "signal=SIGKILL") at that call."""
        return [
            word
            for call in sorted(calls)
            for word in ("-e", f"inject={call}:{fault}:when={self.when(call)}")
        ]

    def skips(self, cases: list[Case]) -> list[int]:
        """How many harmless calls come before the work of each case."""
        return [self.when(case.call) - case.at for case in cases]


@dataclass(frozen=True)
class Outcome:
    """The process of a case, and its exit status (minus the signal that killed it)."""

    pid: int
    status: int


def run_cases(
    cases: list[Case], skips: list[int], options: list[str], workplace: Path
) -> list[Outcome]:
    """Return the outcome of each case, in order.

    `options` are strace's, those of `Calls.injections` among them.
    """
    given, results = workplace / "cases.json", workplace / "results.json"
    given.write_text(
        json.dumps([{**asdict(case), "skip": n} for case, n in zip(cases, skips, strict=True)])
    )
    subprocess.run(
        [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-e",
            f"trace={','.join(HARMLESS)}",
            *options,
            sys.executable,
            "-I",
            "-S",
            str(ZYGOTE),
            str(given),
            str(results),
        ],
        check=True,
    )
    return [Outcome(*outcome) for outcome in json.loads(results.read_text())]


def count_calls(cases: list[Case], workplace: Path) -> Calls:
    """How often each case, run without a fault, makes each system call."""
    prefix = workplace / "trace"
    undisturbed = [replace(case, call="fsync") for case in cases]
    outcomes = run_cases(undisturbed, [0] * len(cases), ["-ff", "-o", str(prefix)], workplace)
    counted = {
        int(file.suffix[1:]): Counter(
            line.partition("(")[0] for line in file.read_text().splitlines()
        )
        for file in workplace.glob("trace.*")
    }
    for file in workplace.glob("trace.*"):
        file.unlink()
    by_case = [counted.pop(outcome.pid) for outcome in outcomes]
    (start_up,) = counted.values()
    return Calls(start_up, by_case)
