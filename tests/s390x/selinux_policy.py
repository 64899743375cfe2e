"""The complete SELinux policy of Debian, built from its packages as their maintainer scripts do.

Nothing is installed: the packages are unpacked, and semodule works in that tree. A kernel with
SELinux is needed neither for this nor for labelling files.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.s390x.apt import Suite, native_architecture, unpack
from tests.s390x.cache import locked_cache
from tests.s390x.recipe import BASE_SUITE

_LIBRARIES = ("libselinux1", "libsepol2", "libpcre2-8-0", "libaudit1", "libcap-ng0", "libbz2-1.0")
_PACKAGES = (
    "selinux-policy-default",
    "policycoreutils",
    "selinux-utils",
    "libsemanage2",
    "libsemanage-common",
)
_CONFIGURATION = """
compiler-directory = {root}/usr/libexec/selinux/hll
[load_policy]
path = /bin/true
[end]
[setfiles]
path = /bin/true
[end]
[sefcontext_compile]
path = {root}/usr/sbin/sefcontext_compile
args = $@
[end]
"""
"""What semodule calls: the compiler of modules, and nothing that needs a kernel with SELinux."""


@dataclass(frozen=True)
class DebianPolicy:
    """A tree with the unpacked packages and what semodule built in it."""

    root: Path

    @property
    def contexts(self) -> Path:
        """Which label belongs to which path."""
        return self.root / "etc/selinux/default/contexts/files/file_contexts"

    @property
    def binary(self) -> Path:
        """The policy file that a kernel loads."""
        (found,) = (self.root / "etc/selinux/default/policy").glob("policy.*")
        return found

    def setfiles(self, *words: str | Path) -> str:
        """Run setfiles(8), which is restorecon(8) with an explicit policy; return its output."""
        done = self._run("sbin/setfiles", *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def make(self) -> None:
        """Install all modules of the policy, as the package's postinst does."""
        configuration = self.root / "etc/selinux/semanage.conf"
        with configuration.open("a") as file:
            file.write(_CONFIGURATION.format(root=self.root))
        (self.root / "etc/selinux/config").write_text("SELINUXTYPE=default\n")
        (self.root / "var/lib/selinux").mkdir(parents=True, exist_ok=True)
        modules = sorted((self.root / "usr/share/selinux/default").glob("*.pp.bz2"))
        assert len(modules) > 300
        store = ("-p", self.root, "-S", "/var/lib/selinux", "-s", "default")
        made = self._run("usr/sbin/semodule", *store, "-n", "-X", "100", "-i", *modules)
        assert made.returncode == 0, made.stdout

    def _run(self, program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        libraries = {str(path.parent) for path in self.root.rglob("*.so.*")}
        return subprocess.run(
            [self.root / program, *words],
            env={"LD_LIBRARY_PATH": ":".join(sorted(libraries)), "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def unpacked(directory: Path, architecture: str, packages: tuple[str, ...]) -> None:
    """Unpack packages of that architecture, whose programs need no others to run."""
    with locked_cache() as cache:
        files = Suite(BASE_SUITE, architecture, cache).fetch((*packages, *_LIBRARIES))
        for file in files.values():
            unpack(file, directory)


def make_policy(directory: Path) -> None:
    """Fetch the packages and build the policy; this takes about 15 seconds."""
    unpacked(directory, native_architecture(), _PACKAGES)
    DebianPolicy(directory).make()
