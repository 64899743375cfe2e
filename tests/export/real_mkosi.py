"""Versions of the real mkosi, from Debian's packages, which ``tests/export/setup`` unpacks.

mkosi is Python only, and what reads its configuration needs none of the programs that the package
depends on. So the packages are unpacked and not installed, and several versions can be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.s390x.cache import cache_directory
from tests.s390x.testbed import unavailable

OLDEST: Final = "14"
"""Debian 12's. It knows no ``[Match]`` and puts words of its own in front of the line."""

OWN_WORDS: Final = ("rhgb", "selinux=0", "audit=0")

_PACKAGE = "usr/lib/python3/dist-packages"

_ASK_OLDEST = """\
import json, mkosi, sys
(found,) = mkosi.parse_args(["--architecture", sys.argv[1], "summary"]).values()
print(json.dumps(found.kernel_command_line))
"""


@dataclass(frozen=True, slots=True)
class Mkosi:
    """One version, unpacked."""

    version: str
    directory: Path

    def command_line(self, drop_in: str, work: Path, architecture: str = "s390x") -> list[str]:
        """The words of the kernel command line that it reads, for an image of an architecture.

        `drop_in` is the text of the only file of its configuration, which is made in `work`.
        """
        (work / "mkosi.conf.d").mkdir(exist_ok=True)
        (work / "mkosi.conf.d/50-secboot-site.conf").write_text(drop_in)
        if self.version == OLDEST:
            words = json.loads(self._run(work, "-c", _ASK_OLDEST, architecture))
            assert tuple(words[:3]) == OWN_WORDS
            return list(words[3:])
        summary = self._run(
            work, "-m", "mkosi", "--json", "--architecture", architecture, "summary"
        )
        image: dict[str, Any] = json.loads(summary)["Images"][-1]
        return list(image["KernelCommandLine"])

    def _run(self, work: Path, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=work,
            env={"PYTHONPATH": str(self.directory / _PACKAGE), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@cache
def unpacked() -> dict[str, Mkosi]:
    """Every version that is there."""
    found = sorted(cache_directory().glob("mkosi-*"))
    versions = [Mkosi(path.name.removeprefix("mkosi-"), path) for path in found]
    return {each.version: each for each in versions}


def oldest() -> Mkosi:
    """The one whose reading differs most from today's."""
    if OLDEST not in unpacked():
        unavailable(f"mkosi {OLDEST} is not there; run tests/export/setup")
    return unpacked()[OLDEST]


def newest() -> Mkosi:
    """The newest version: one that knows ``[Match]``."""
    newer = [each for each in unpacked().values() if each.version != OLDEST]
    if not newer:
        unavailable(f"no mkosi newer than {OLDEST} is there; run tests/export/setup")
    return max(newer, key=lambda each: tuple(map(int, each.version.split("."))))
