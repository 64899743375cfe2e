"""What comes from npm: packaging/npm names it, packaging/setup puts it into the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.s390x.cache import cache_directory, locked_cache

WANTED = Path(__file__).parents[2] / "packaging/npm"


def modules() -> Path:
    """The ``node_modules`` of these very versions, there or not."""
    lock = (WANTED / "package-lock.json").read_bytes()
    return cache_directory() / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}" / "node_modules"


def install() -> bool:
    """Install what is missing; return whether there was anything to do.

    Raises subprocess.CalledProcessError when npm fails; its output has the reason.
    """
    with locked_cache("packages"):
        found = modules()
        if found.is_dir():
            return False
        work = found.parent.with_suffix(".new")
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(WANTED, work)
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        subprocess.run(("npm", "ci", *options), cwd=work, check=True, capture_output=True)
        work.rename(found.parent)
    return True
