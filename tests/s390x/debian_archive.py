"""A small archive of Debian's s390x packages: what the script of docs/how-to/images.md installs.

The packages are those of the base suite, as its index names them, in the store that the test bed keeps
anyway. The archive is not signed, so its user has to say ``[trusted=yes]``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from tests.s390x import apt, recipe
from tests.s390x.cache import cache_directory

WANTED: Final = (
    *("?essential", "apt", "usr-is-merged"),
    *("linux-image-s390x", "initramfs-tools", "s390-tools", "systemd-sysv"),
)
"""What the script installs, with the variant and the hook that it names; dependencies follow."""

HOST_PROGRAMS: Final = {"mmdebstrap": "mmdebstrap", "arch-test": "arch-test"}

_RELEASE: Final = """\
Origin: Debian
Suite: {suite}
Codename: {suite}
Architectures: s390x
Components: main
SHA256:
 {digest} {size} main/binary-s390x/Packages
"""


def directory() -> Path:
    """The archive, there or not."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return cache_directory() / f"archive-{recipe.BASE_SUITE}-s390x-{digest}"


def install(cache: Path) -> bool:
    """Download what is missing, and make the archive; return whether there was anything to do.

    The caller has locked the cache. Raises apt.AptError.
    """
    if directory().is_dir():
        return False
    suite = apt.Suite(recipe.BASE_SUITE, "s390x", cache)
    files = suite.fetch_with_dependencies(WANTED, attempts=3)
    for old in cache.glob(f"archive-{recipe.BASE_SUITE}-s390x-*"):
        shutil.rmtree(old)
    with apt.replaced(directory()) as work:
        _fill(work, files)
    return True


def _fill(work: Path, files: list[Path]) -> None:
    index = work / f"dists/{recipe.BASE_SUITE}/main/binary-s390x/Packages"
    index.parent.mkdir(parents=True)
    (work / "pool").mkdir()
    entries = []
    for number, file in enumerate(files):
        # The names in the store have characters that an address would need to escape.
        name = f"pool/{number}.deb"
        os.link(file, work / name)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        place = f"Filename: {name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n"
        entries.append(f"{apt.control_fields(file)}{place}")
    index.write_text("\n".join(entries))
    release = _RELEASE.format(
        suite=recipe.BASE_SUITE,
        size=index.stat().st_size,
        digest=hashlib.sha256(index.read_bytes()).hexdigest(),
    )
    (work / f"dists/{recipe.BASE_SUITE}/Release").write_text(release)
