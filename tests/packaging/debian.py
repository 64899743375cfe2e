"""Debian 13 for the tests: its Python, Typer and ruamel.yaml, unpacked and never installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.s390x import apt
from tests.s390x.cache import cache_directory, locked_cache

SUITE = "trixie"
PACKAGES = (
    # what Python needs
    *("libc6", "libssl3t64", "zlib1g", "libexpat1", "libffi8", "liblzma5", "libbz2-1.0"),
    *("libuuid1", "python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"),
    # what secboot needs
    *("python3-typer", "python3-click", "python3-shellingham", "python3-typing-extensions"),
    *("python3-rich", "python3-pygments", "python3-markdown-it", "python3-mdurl"),
    *("python3-ruamel.yaml", "python3-defusedxml"),
)
LIBRARIES = "usr/lib/python3/dist-packages"
_DIGEST = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:16]


def tree() -> Path:
    """The unpacked packages, there or not."""
    return cache_directory() / f"python-{SUITE}-{_DIGEST}"


def install() -> bool:
    """Unpack what is missing; return whether there was anything to do. Raises apt.AptError."""
    with locked_cache() as cache:
        if tree().is_dir():
            return False
        suite = apt.Suite(SUITE, apt.native_architecture(), cache)
        files = suite.fetch(PACKAGES, attempts=3)
        with apt.replaced(tree()) as work:
            for file in files.values():
                apt.unpack(file, work)
    return True


def python() -> tuple[list[str], dict[str, str]]:
    """The command that starts Debian's Python with its own C library, and its environment.

    Raises FileNotFoundError where the tree is not there.
    """
    root = tree()
    loader = next(root.glob("usr/lib/*/ld-linux-*.so.*"), None)
    if loader is None:
        raise FileNotFoundError(root)
    command = [loader, "--library-path", loader.parent, root / "usr/bin/python3.13"]
    return [str(each) for each in command], {"PYTHONHOME": str(root / "usr")}
