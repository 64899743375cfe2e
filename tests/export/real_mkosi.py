"""The real mkosi: the newest one available, and Debian 12's, which reads files differently."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.export import unpacked
from tests.export.small_tree import INITRAMFS

OLDEST: Final = "14"
"""Debian 12's. It does not support ``[Match]``, and adds its own words before the line."""

OWN_WORDS: Final = ("rhgb", "selinux=0", "audit=0")

BUILD: Final = """\
[Distribution]
Distribution=custom
Architecture=s390x

[Output]
Format=directory
Output=image

[Content]
BaseTrees={tree}
Bootable=yes
Bootloader=none
Initrds=initrd

[Build]
ExtraSearchPaths=search
"""
"""s390x has no EFI, so the kernel gets a boot entry, not a unified image."""

NO_EFI_PROGRAM: Final = "#!/bin/sh\necho unknown\n"
"""For mkosi 26 and later, which runs ``python3`` with the module pefile to find out what the kernel is."""

_ASK_OLDEST = """\
import json, mkosi, sys
(found,) = mkosi.parse_args(["--architecture", sys.argv[1], "summary"]).values()
print(json.dumps(found.kernel_command_line))
"""


@dataclass(frozen=True, slots=True)
class Mkosi:
    """One version, and the directory of its modules."""

    version: str
    modules: Path

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
        options = ("--json", "--architecture", architecture)
        summary = self._run(work, "-m", "mkosi", *options, "summary")
        image: dict[str, Any] = json.loads(summary)["Images"][-1]
        return list(image["KernelCommandLine"])

    def build(self, drop_in: str, tree: Path, work: Path) -> Path:
        """Build an image of `tree` in `work`, as a directory; return it. Only the newest can.

        `drop_in` is next to a configuration that says nothing about parameters.
        """
        (work / "initrd").write_text(INITRAMFS)
        (work / "search").mkdir()
        (work / "search/python3").write_text(NO_EFI_PROGRAM)
        (work / "search/python3").chmod(0o755)
        (work / "mkosi.conf").write_text(BUILD.format(tree=tree))
        (work / "mkosi.conf.d").mkdir()
        (work / "mkosi.conf.d/50-secboot-site.conf").write_text(drop_in)
        self._run(work, "-m", "mkosi", "build")
        return work / "image"

    def _run(self, work: Path, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=work,
            env={
                "PYTHONPATH": str(self.modules),
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(work),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def oldest() -> Mkosi:
    """The version that differs most from the current one."""
    return Mkosi(OLDEST, unpacked.require("mkosi", OLDEST))


def newest() -> Mkosi:
    """The newest version, which supports ``[Match]``."""
    return Mkosi(*unpacked.require_newer("mkosi", OLDEST))
