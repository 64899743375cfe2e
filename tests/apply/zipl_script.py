"""A program called ``zipl`` for tests of the flows: a shell script with a body of the test.

It records each call in a file and inspects the boot files that zipl would read. The real zipl is tested in
tests/s390x; here it is made to fail, to hang, and to print megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from secboot.system.programs import SystemRunner

_HEAD = """#!/bin/sh
echo "$@" >> '{log}'
"""


@dataclass(frozen=True)
class ZiplScript:
    """A directory with a ``zipl`` in it; `log` gets the arguments of each call, one line per call."""

    directory: Path
    log: Path

    @property
    def runner(self) -> SystemRunner:
        """A runner that finds this zipl before any other."""
        return SystemRunner((str(self.directory), "/usr/bin", "/bin"))

    @property
    def calls(self) -> list[str]:
        """The arguments of each call so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def make_zipl(directory: Path, body: str = "exit 0") -> ZiplScript:
    """Write a ``zipl`` with the shell code `body`; ``$dry`` is set in a dry run."""
    directory.mkdir()
    script = ZiplScript(directory, directory / "calls")
    program = directory / "zipl"
    head = _HEAD.format(log=script.log)
    program.write_text(f'{head}case "$*" in *--dry-run*) dry=1;; *) dry=;; esac\n{body}\n')
    program.chmod(0o755)
    return script
