"""The guest's disk again, with the newest systemd that Debian has and the C library that it needs.

Kernel, Python and zipl are those of the other disks. If no suite can be read, the disk is not made, and
its tests are skipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.s390x import apt, recipe
from tests.s390x.build_systemd_guest import add_systemd_disk
from tests.s390x.cache import cache_directory, recipe_digest

SUITES: Final = recipe.NEWER_SUITES[-1]
"""The suites, of which the first that can be read is taken."""
_C_LIBRARY: Final = ("libc6", "libgcc-s1")


def image() -> Path:
    """The disk, there or not."""
    text = f"{recipe_digest()} {Path(__file__).read_text()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return cache_directory() / f"systemd-{SUITES[0]}-{digest}" / "systemd.img"


def install(cache: Path, guest: Path) -> bool:
    """Make the disk from the `guest` of the test bed; return whether there was anything to do.

    The caller has locked the cache. Raises apt.AptError.
    """
    if image().exists():
        return False
    suite, libraries = apt.from_first(SUITES, "s390x", cache, _packages)
    for old in cache.glob(f"systemd-{SUITES[0]}-*"):
        shutil.rmtree(old)
    with apt.replaced(image().parent) as work:
        root = work / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", guest / "root", root], check=True)
        for file in libraries:
            apt.unpack(file, root)
        for name in ("kernel", "initramfs"):
            os.link(guest / name, work / name)
        add_systemd_disk(suite, work)
        shutil.rmtree(root)
    return True


def _packages(suite: apt.Suite) -> tuple[apt.Suite, list[Path]]:
    """The suite, with all packages downloaded, and its C library."""
    suite.fetch((*recipe.SYSTEMD_PACKAGES, *_C_LIBRARY))
    return suite, list(suite.download(_C_LIBRARY).values())
