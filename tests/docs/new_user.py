"""A new user in a fresh terminal: 80 columns, 24 rows, a shell, and nothing but what a page tells.

The terminal is real, and so are the shell and ``secboot`` in it. A sample machine has no zipl; where
one has, a stand-in for chroot(8) runs it: it accepts everything and writes nothing. Before a command
that is to be killed, the sample machine gets a zipl, which kills secboot as ``kill -9`` does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from tests.packaging.programs import CHECKOUT
from tests.terminal import screen, terminal

COMMENT = re.compile(r"  # (?:exit code (\d+)|(kill -9 while zipl runs))$")
_COMMAND = """#!{python}
import sys
sys.path.insert(0, {checkout!r})
from secboot.cli import main
from secboot.system import programs
real = programs.SystemRunner
programs.SystemRunner = lambda: real(({directory!r}, *programs.SEARCH_PATH))
sys.argv[0] = "secboot"
sys.exit(main())
"""
_CHROOT = """#!/bin/sh
case "$*" in *--dry-run*) exit 0;; esac
if [ -e '{directory}/kill' ]; then
    rm '{directory}/kill'
    kill -9 $PPID
fi
"""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d")
_WHO = re.compile(rf"  {re.escape(getuser())}$", re.MULTILINE)
_ROOT = re.compile(r"--root (\S+)")


@dataclass(frozen=True)
class Seen:
    """What the terminal shows after a command, and the exit code as a shell has it."""

    text: str
    code: int


class NewUser:
    """Types commands in an empty directory; `programs` is another one, for what the test makes."""

    def __init__(self, home: Path, programs: Path) -> None:
        self._home = home
        self._programs = programs
        texts = {"secboot": _COMMAND, "chroot": _CHROOT}
        for name, text in texts.items():
            program = programs / name
            words = {"python": sys.executable, "checkout": str(CHECKOUT)}
            program.write_text(text.format(directory=str(programs), **words))
            program.chmod(0o755)

    def types(self, command: str) -> Seen:
        """Run one command line in a terminal of its own; the time of day is always the same."""
        comment = COMMENT.search(command)
        if comment is not None and comment[2]:
            self._kill_secboot_in_zipl(command)
        keep = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = f"{self._programs}:/usr/sbin:/usr/bin:/sbin:/bin"
        with terminal(80) as opened:
            process = subprocess.Popen(
                ["setsid", "--ctty", "--wait", "bash", "--norc", "-c", command],
                stdin=opened.file,
                stdout=opened.file,
                stderr=opened.file,
                cwd=self._home,
                env={**keep, "PATH": path, "TERM": "xterm"},
            )
            text = opened.read_all()
            code = process.wait()
        # A shell that becomes its only command dies as that one does.
        code = code if code >= 0 else 128 - code
        lines = screen(_COLOURS.sub("", text.replace("\r\n", "\n")))
        if code == 137:
            lines.append("Killed")
        shown = "".join(f"{line}\n" for line in lines)
        shown = _TIME.sub(r"2026-11-02\g<1>09:30:00", shown)
        return Seen(_WHO.sub("  root", shown), code)

    def _kill_secboot_in_zipl(self, command: str) -> None:
        root = _ROOT.search(command)
        assert root is not None
        zipl = self._home / root[1] / "usr/sbin/zipl"
        zipl.parent.mkdir(parents=True, exist_ok=True)
        zipl.write_bytes(b"\0002.40.0-build-20251110\0")
        (self._programs / "kill").touch()
