"""Programs that these tests need, or a reason to skip; in CI nothing is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.available import unavailable
from tests.packaging import debian

CHECKOUT = Path(__file__).resolve().parents[2]
NOT_COPIED = (
    ".git",
    ".venv",
    "dist",
    "build",
    "__pycache__",
    "*_cache",
    ".hypothesis",
    ".coverage*",
)
URLS = {
    "Homepage": "https://www.example.org/",
    "Repository": "https://code.example.org/secboot",
    "Issues": "https://code.example.org/secboot/issues",
    "Documentation": "https://docs.example.org/",
}
"""Addresses that belong to nobody (RFC 2606)."""
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
OLD_PYTHONS = ("python2.7", "python3.6", "python3.9", "python3.10")
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def require(name: str) -> str:
    """Return the path of a program that packaging/setup installs."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        unavailable(f"{name} is not installed; run packaging/setup")
    return found


def interpreter(name: str) -> str | None:
    """Return the path of a Python of this name, also of one that pyenv keeps, or None."""
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"*/bin/{name}"))
    for candidate in [shutil.which(name), *map(os.fspath, kept)]:
        # A shim of pyenv is there for every name and works for few.
        if candidate is not None and _works(candidate):
            return candidate
    return None


def run(
    *words: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program and catch what it says; the caller judges its status."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def with_pythons(directory: Path) -> dict[str, str]:
    """Return an environment in which all Pythons that the tests have are in PATH."""
    directory.mkdir(exist_ok=True)
    for release in (debian.DEBIAN_13, debian.SID):
        release.write_starter(directory)
    for name in PYTHONS:
        found = interpreter(name)
        if found is not None:
            (directory / name).unlink(missing_ok=True)
            (directory / name).symlink_to(found)
    return {**os.environ, "PATH": f"{SEARCH_PATH}:{directory}"}


def build_pyz(target: Path) -> Path:
    """Build secboot.pyz for each Python that the tests have."""
    environment = with_pythons(target.with_name("pythons"))
    built = run(sys.executable, CHECKOUT / "packaging/build_pyz.py", target, env=environment)
    assert built.returncode == 0, built.stderr
    return target


def publish(directory: Path) -> Path:
    """Copy the checkout, and give secboot public addresses as CONTRIBUTING.md says."""
    copy = directory / "secboot"
    shutil.copytree(CHECKOUT, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    lines = "".join(f'{label} = "{address}"\n' for label, address in URLS.items())
    project = copy / "pyproject.toml"
    project.write_text(project.read_text().replace("[project.urls]\n", f"[project.urls]\n{lines}"))
    done = run(sys.executable, copy / "packaging/generate")
    assert done.returncode == 0, done.stderr
    return copy


def build_release(directory: Path, sources: Path) -> Path:
    """Build all of a release; the directory is replaced."""
    built = run(sys.executable, sources / "packaging/release", directory)
    assert built.returncode == 0, built.stderr
    return directory


def build_deb(directory: Path) -> Path:
    """Build the Debian package with the Python that runs the tests."""
    for program in ("dpkg-buildpackage", "dh", "fakeroot"):
        require(program)
    return _built(CHECKOUT / "packaging/build-deb", directory)


def build_debian_source(directory: Path, sources: Path) -> None:
    """Fill an empty directory with the Debian source package."""
    require("dpkg-source")
    done = run(sources / "packaging/build-deb", "--source", directory)
    assert done.returncode == 0, done.stdout + done.stderr


def build_rpm(directory: Path, *options: str, sources: Path = CHECKOUT) -> Path:
    """Build the RPM package with the Python that runs the tests, and options of rpmbuild."""
    require("rpmbuild")
    return _built(sources / "packaging/build-rpm", directory, *options)


def _built(script: Path, directory: Path, *options: str) -> Path:
    environment = {**os.environ, "PYTHON": sys.executable, "PATH": SEARCH_PATH}
    done = run(script, directory, *options, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = directory.iterdir()
    return package


def _works(candidate: str) -> bool:
    return run(candidate, "-c", "pass").returncode == 0
