"""Debian in a directory: a release's packages with all that they depend on, and programs run in it.

In one tree secboot's package is built, installed and tested; in the other runs lintian. Programs run
after a change of root, in a mount namespace of their own, without a network. All of it needs root.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.s390x import apt
from tests.s390x.cache import cache_directory, locked_cache

NO_COMPILER = """\
Package: secboot-no-compiler
Status: install ok installed
Maintainer: secboot developers <secboot@example.org>
Architecture: all
Version: 1
Provides: c-compiler, cpp, g++, gcc, libc-dev, libc6-dev, linux-libc-dev
Description: what the tools depend on for compiled code, of which there is none here

"""
"""It is half of the download."""
ENTER = """\
set -e
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
mkdir -p "$0/mnt"
mount --bind "$1" "$0/mnt"
shift
exec chroot "$0" sh -c 'cd /mnt; exec "$@"' sh "$@"
"""


class DebianTree(NamedTuple):
    """A release: its suites, of which the first that can be read is taken, and what is installed."""

    suites: tuple[str, ...]
    packages: tuple[str, ...]
    configured: bool = True
    """Whether dpkg knows the packages and has run their scripts."""

    @property
    def directory(self) -> Path:
        """The tree, there or not."""
        recipe = " ".join((*self.suites, *self.packages, NO_COMPILER))
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
        return cache_directory() / f"debian-{self.suites[0]}-{digest}"

    def install(self) -> bool:
        """Make the tree if it is missing; return whether it was. Raises apt.AptError."""
        with locked_cache() as cache:
            if self.directory.is_dir():
                return False
            files = self._fetch(cache)
            with apt.replaced(self.directory) as work:
                self._unpack(files, work)
                if self.configured:
                    _configure(work)
        return True

    def copy(self, target: Path) -> None:
        """Copy the tree, to change it."""
        subprocess.run(["cp", "-a", "--reflink=auto", self.directory, target], check=True)

    def _fetch(self, cache: Path) -> list[Path]:
        reasons = []
        for name in self.suites:
            suite = apt.Suite(name, apt.native_architecture(), cache)
            try:
                try:
                    return suite.closure(self.packages, NO_COMPILER)
                except apt.AptError:
                    suite.update(attempts=2)
                    return suite.closure(self.packages, NO_COMPILER)
            except apt.AptError as error:
                reasons.append(str(error))
        raise apt.AptError("; ".join(reasons))

    def _unpack(self, files: list[Path], tree: Path) -> None:
        database = tree / "var/lib/dpkg"
        (database / "info").mkdir(parents=True)
        stanzas = []
        for file in files:
            # Some scripts fail if a manual page is missing.
            names = apt.unpack(
                file, tree, ("locale",) if self.configured else ("locale", "man", "doc")
            )
            if self.configured:
                stanzas.append(_record(file, names, database))
        (tree / "etc/dpkg/origins/default").unlink(missing_ok=True)
        (tree / "etc/dpkg/origins/default").symlink_to("debian")
        (database / "status").write_text("\n".join((*stanzas, NO_COMPILER)))
        (database / "info/format").write_text("1\n")
        (database / "info/secboot-no-compiler.list").write_text("/.\n")
        for name in ("passwd", "group"):
            shutil.copy(tree / f"usr/share/base-passwd/{name}.master", tree / "etc" / name)


def _record(file: Path, names: list[str], database: Path) -> str:
    """Enter an unpacked package into dpkg's database, except into its status, which is returned."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "--control", file, scratch], check=True)
        control = (Path(scratch) / "control").read_text().rstrip("\n")
        fields = dict(line.split(": ", 1) for line in control.splitlines() if ": " in line)
        name = fields["Package"]
        if fields.get("Multi-Arch") == "same":
            name += f":{fields['Architecture']}"
        for path in Path(scratch).iterdir():
            # The configuration files are in place.
            if path.name not in {"control", "conffiles"}:
                shutil.move(path, database / f"info/{name}.{path.name}")
    listed = [each.removeprefix(".").rstrip("/") or "/." for each in names]
    (database / f"info/{name}.list").write_text("".join(f"{each}\n" for each in listed))
    first, rest = control.split("\n", 1)
    return f"{first}\nStatus: install ok unpacked\n{rest}\n"


def _configure(tree: Path) -> None:
    (tree / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (tree / "usr/sbin/policy-rc.d").chmod(0o755)
    done = run_in(tree, tree / "root", "dpkg", "--force-unsafe-io", "--configure", "--pending")
    if done.returncode != 0:
        raise apt.AptError(f"dpkg --configure: {done.stderr[-300:]}")


def run_in(tree: Path, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the tree with this directory as /mnt, where it starts."""
    namespaces = ("--mount", "--net", "--pid", "--kill-child", "--propagation", "private")
    environment = {
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin",
    }
    return subprocess.run(
        ["unshare", *namespaces, "sh", "-c", ENTER, tree, directory, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


BUILD = DebianTree(
    ("trixie",),
    (
        "?essential",
        *("debhelper", "dh-python", "pybuild-plugin-pyproject", "python3-hatchling"),
        *("python3-typer", "python3-ruamel.yaml", "python3-defusedxml"),
        "autopkgtest",
    ),
)
"""Debian 13 with what builds secboot's package and what tests it."""
LINTIAN = DebianTree(("sid", "testing"), ("?essential", "lintian"), configured=False)
"""The newest lintian."""
