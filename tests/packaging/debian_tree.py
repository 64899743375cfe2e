"""Debian in a directory: a release's packages with all that they depend on, and programs run in it.

In each, secboot's package is built, installed and tested; sid's also has the newest lintian. Programs run
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
NOT_NEEDED = ("mandb", "py3compile", "update-mime-database")
"""Programs that packages run when they are configured. They would take half of the time."""
CONFIGURE = f"""\
set -e
for each in {" ".join(NOT_NEEDED)}; do
    if [ -e "$0/usr/bin/$each" ]; then mount --bind "$0/usr/bin/true" "$0/usr/bin/$each"; fi
done
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
exec chroot "$0" dpkg --force-unsafe-io --configure --pending
"""
RUN = """\
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
if ! mount -t overlay -o "lowerdir=$0,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root; then
    cp -a "$0/." /mnt/root
fi
mkdir -p /mnt/root/mnt
mount --bind "$1" /mnt/root/mnt
mount --rbind /dev /mnt/root/dev
mount -t proc proc /mnt/root/proc
shift
exec chroot /mnt/root sh -c 'cd /mnt; exec "$@"' sh "$@"
"""
"""The tree stays as it is: what a program changes is in memory."""


class DebianTree(NamedTuple):
    """A release: its suites, of which the first that can be read is taken, and what is installed."""

    suites: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """The tree, there or not."""
        recipe = " ".join((*self.suites, *self.packages, NO_COMPILER))
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
        return cache_directory() / f"debian-{self.suites[0]}-{digest}"

    def install(self) -> bool:
        """Make the tree if it is missing; return whether it was. Raises apt.AptError."""
        with locked_cache("packages") as cache:
            if self.directory.is_dir():
                return False
            files = apt.from_first(
                self.suites,
                apt.native_architecture(),
                cache,
                lambda suite: suite.fetch_with_dependencies(self.packages, NO_COMPILER, attempts=2),
            )
            with apt.replaced(self.directory) as work:
                self._unpack(files, work)
                _configure(work)
        return True

    def run(self, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the tree with this directory as /mnt, where it starts.

        What it changes outside this directory is lost.
        """
        return _enter(RUN, self.directory, directory, *words)

    def _unpack(self, files: list[Path], tree: Path) -> None:
        database = tree / "var/lib/dpkg"
        (database / "info").mkdir(parents=True)
        stanzas = []
        for file in files:
            # Some scripts fail if a manual page is missing.
            names = apt.unpack(file, tree, ("locale",))
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
    done = _enter(CONFIGURE, tree)
    if done.returncode != 0:
        raise apt.AptError(f"dpkg --configure: {done.stderr[-300:]}")


def _enter(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    namespaces = ("--mount", "--net", "--pid", "--kill-child", "--propagation", "private")
    environment = {
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin",
    }
    return subprocess.run(
        ["unshare", *namespaces, "sh", "-c", script, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


TOOLS = (
    "?essential",
    *("debhelper", "dh-python", "pybuild-plugin-pyproject", "python3-hatchling"),
    *("python3-typer", "python3-ruamel.yaml", "python3-defusedxml"),
    "autopkgtest",
)
"""What builds secboot's package, and what tests it."""
DEBIAN_13 = DebianTree(("trixie",), TOOLS)
SID = DebianTree(("sid", "testing"), (*TOOLS, "lintian"))
