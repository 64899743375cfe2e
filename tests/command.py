"""Run ``secboot`` in this process, or in a forked one, and capture its output."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.cli import main, site

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


@dataclass(frozen=True)
class Said:
    """The output of one run and its exit code, or minus the signal that ended it."""

    code: int
    out: str
    err: str


def act_on_running_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every tree for the root of the running system, which this user may change."""
    monkeypatch.setattr(site, "is_running_system", lambda _: True)
    # Only root can change the running system; the tree belongs to the user who runs the tests.
    monkeypatch.setattr(site, "is_root", lambda: True)


def secboot(capsys: pytest.CaptureFixture[str], *words: object) -> Said:
    """Run one command line."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return Said(int(code), out, err)


def forked(work: Callable[[], int]) -> Said:
    """Do this in a separate process, which may drop rights or be killed, and capture its output.

    It has all modules that were imported here. The code is 70 if `work` raises.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout = os.fdopen(1, "w", closefd=False)
                sys.stderr = os.fdopen(2, "w", closefd=False)
                code = work()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Said(code, *texts)
