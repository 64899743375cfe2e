"""Download Debian packages of any suite and architecture without touching the system's apt.

A private apt state (own lists, own status, own architecture) uses the mirror of the system's
configuration. So it needs neither root nor ``dpkg --add-architecture``, and a suite whose index
can't be read fails here instead of falling back to another suite's packages.
"""

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.s390x.cache import locked_cache

T = TypeVar("T")


class AptError(Exception):
    """apt could not do what the test bed needs; the message is for the user."""


def _run(arguments: list[str], cwd: Path | None = None, config: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    if config is not None:
        environment["APT_CONFIG"] = os.fspath(config)
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AptError(f"{' '.join(arguments[:3])}: {_brief(done.stderr or done.stdout)}")
    return done.stdout


def _brief(output: str) -> str:
    """The error lines of apt, without addresses, which are noise in a log."""
    output = re.sub(r"\[IP: [^]]*\]|Hashes of expected file:.*", "", output)
    output = re.sub(r"https?://\S+", "the package index:", output)
    wanted = [line for line in output.splitlines() if line.startswith(("E:", "   "))]
    text = " ".join(" ".join(wanted or output.splitlines()[-2:]).split())
    return text[:200]


def native_architecture() -> str:
    """Debian's name of this machine's architecture, such as ``amd64``."""
    return _run(["dpkg", "--print-architecture"]).strip()


def mirror() -> tuple[str, str]:
    """Return address and keyring of the Debian mirror that the system's apt uses."""
    form = "$(REPO_URI) $(SIGNED_BY)"
    targets = _run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    lines = [line.split(" ", 1) for line in targets.splitlines() if "security" not in line]
    if not lines:
        raise AptError("apt has no package sources configured")
    address = Counter(line[0] for line in lines).most_common(1)[0][0]
    keyrings = [line[1] for line in lines if line[0] == address and line[1].startswith("/")]
    archive_keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    return address, keyrings[0] if keyrings else archive_keyring


@dataclass(frozen=True, slots=True)
class Suite:
    """A private apt state for one suite and architecture, below ``directory``."""

    name: str
    architecture: str
    directory: Path

    def _config(self) -> Path:
        state = self.directory / f"apt-{self.name}-{self.architecture}"
        for part in ("lists/partial", "archives/partial", "state"):
            (state / part).mkdir(parents=True, exist_ok=True)
        address, keyring = mirror()
        source = f"deb [arch={self.architecture} signed-by={keyring}] {address} {self.name} main\n"
        (state / "sources.list").write_text(source)
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Retries": "2",
            "Acquire::Languages": "none",
            "Dir::Etc::sourcelist": f"{state}/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": f"{state}/state",
            "Dir::State::lists": f"{state}/lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": f"{state}",
        }
        config = state / "apt.conf"
        config.write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        return config

    def update(self, attempts: int = 1, pause: float = 20) -> None:
        """Fetch the package index; try again after ``pause`` seconds while it is out of step."""
        config = self._config()
        for attempt in range(1, attempts + 1):
            try:
                _run(["apt-get", "-qq", "update"], config=config)
            except AptError:
                if attempt == attempts:
                    raise
                time.sleep(pause * attempt)
            else:
                return

    def dependency(self, package: str, prefix: str) -> str:
        """Name of the first dependency of a (meta)package that starts with ``prefix``."""
        shown = _run(["apt-cache", "depends", package], config=self._config())
        for line in shown.splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends" and name.startswith(prefix):
                return name
        raise AptError(f"{package} of {self.name} depends on nothing called {prefix}...")

    def download(self, packages: tuple[str, ...]) -> dict[str, Path]:
        """Download packages into ``packages-SUITE-ARCH`` and return each one's file by name.

        An existing file is kept: what was downloaded once can be used even if the mirror is not
        available.
        """
        store = self._store()
        missing = [name for name in packages if self._stored(store, name) is None]
        self._download(missing)
        found = {name: self._stored(store, name) for name in packages}
        return {name: file for name, file in found.items() if file is not None}

    def fetch(
        self, packages: tuple[str, ...], attempts: int = 1, pause: float = 20
    ) -> dict[str, Path]:
        """Download packages; if the present index does not find them, read it again."""
        try:
            return self.download(packages)
        except AptError:
            self.update(attempts, pause)
            return self.download(packages)

    def fetch_with_dependencies(
        self, packages: tuple[str, ...], installed: str = "", attempts: int = 1
    ) -> list[Path]:
        """Download packages and what they depend on, in the versions of the present index.

        A package can be a pattern of apt, such as ``?essential``. `installed` is a status of dpkg: the
        packages that need no download. An index that was read before is used as long as its packages
        can be downloaded.
        """
        try:
            return self._closure(packages, installed)
        except AptError:
            self.update(attempts)
            return self._closure(packages, installed)

    def _closure(self, packages: tuple[str, ...], installed: str) -> list[Path]:
        store, config = self._store(), self._config()
        status = config.with_name("installed")
        status.write_text(installed)
        options = ["-o", f"Dir::State::status={status}", "--no-install-recommends"]
        shown = _run(
            ["apt-get", "-qq", "--print-uris", *options, "install", *packages], config=config
        )
        files = [line.split()[1] for line in shown.splitlines() if line.startswith("'")]
        self._download([file.split("_")[0] for file in files if not (store / file).exists()])
        return [store / file for file in files]

    def _store(self) -> Path:
        store = self.directory / f"packages-{self.name}-{self.architecture}"
        (store / "partial").mkdir(parents=True, exist_ok=True)
        return store

    def _download(self, missing: list[str]) -> None:
        partial = self._store() / "partial"
        if missing:
            _run(["apt-get", "-qq", "download", *missing], cwd=partial, config=self._config())
            for file in partial.glob("*.deb"):
                file.replace(partial.parent / file.name)

    def has(self, packages: tuple[str, ...]) -> bool:
        """Whether all these packages were downloaded before."""
        store = self.directory / f"packages-{self.name}-{self.architecture}"
        return all(self._stored(store, name) is not None for name in packages)

    @staticmethod
    def _stored(store: Path, package: str) -> Path | None:
        return max(store.glob(f"{package}_*.deb"), key=lambda f: f.stat().st_mtime, default=None)


def from_first(
    suites: tuple[str, ...], architecture: str, cache: Path, get: Callable[[Suite], T]
) -> T:
    """Return what `get` returns for the first of these suites that can be read.

    Raises AptError with the reasons of all.
    """
    reasons = []
    for name in suites:
        try:
            return get(Suite(name, architecture, cache))
        except AptError as error:
            reasons.append(str(error))
    raise AptError("; ".join(reasons))


def package_version(file: Path) -> str:
    """Version of a package file, such as ``2.16.0-2``."""
    return _run(["dpkg-deb", "--field", os.fspath(file), "Version"]).strip()


def control_fields(file: Path) -> str:
    """The control file of a package, as an index contains it, with a final newline."""
    return _run(["dpkg-deb", "--field", os.fspath(file)])


UNPACK_WITHOUT = ("doc", "man", "locale", "lintian", "info")


def unpack(file: Path, directory: Path, without: tuple[str, ...] = UNPACK_WITHOUT) -> list[str]:
    """Unpack a package's files into a merged-/usr tree, without these parts of /usr/share.

    Returns the names of all that was unpacked, as tar prints them.
    """
    for name in ("bin", "sbin", "lib"):
        (directory / "usr" / name).mkdir(parents=True, exist_ok=True)
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"usr/{name}")
    excluded = [f"--exclude=./usr/share/{part}" for part in without]
    excluded.append("--exclude=./usr/lib/*/gconv")
    contents = subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", os.fspath(file)], stdout=subprocess.PIPE
    )
    with contents:
        done = subprocess.run(
            ["tar", "-xv", "--keep-directory-symlink", "--no-same-owner", *excluded],
            cwd=directory,
            stdin=contents.stdout,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    if contents.returncode != 0:
        raise AptError(f"{file.name} cannot be unpacked")
    return done.stdout.splitlines()


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Provide an empty directory, and replace ``target`` with it when the context is left."""
    work = target.with_name(f"work-{target.name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    yield work
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)


def install_host_packages(programs: dict[str, str]) -> list[str]:
    """Install the packages of the programs that are missing on this machine.

    Needs root. Returns the packages that were installed; raises AptError with the command to
    type when this user may not install them.
    """
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = sorted(
        {pkg for program, pkg in programs.items() if not shutil.which(program, path=search)}
    )
    if not missing:
        return []
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0:
        raise AptError(f"programs are missing here; as root: {command}")
    apt_get = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    # apt does not wait for another one that reads the indexes.
    with locked_cache("host"):
        _run([*apt_get, "update"])
        _run([*apt_get, "-y", "--no-install-recommends", "install", *missing])
    return missing
