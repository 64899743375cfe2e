"""The script of docs/how-to/images.md, as it stands on the page: a Debian system, its next kernel, an IPL.

mmdebstrap installs the packages of Debian's base suite, whose maintainer scripts run under qemu-user.
They come from an archive on this machine, which the test bed made; that is all that the
environment changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.available import not_here, require_root, unavailable
from tests.docs.test_pages import DOCS, blocks
from tests.packaging.programs import require, run
from tests.s390x import debian_archive, private_binfmt, recipe
from tests.s390x.emulator import Disk, machine
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.scenarios import SWIOTLB
from tests.s390x.testbed import TestBed, require_oracle

pytestmark = [pytest.mark.ipl, pytest.mark.oracle]

DISK_SIZE = 700 * 2**20
LINE = f"root=LABEL=root {SWIOTLB}"
SHOW = """\
#!/bin/sh
echo "@@CMDLINE $(cat /proc/cmdline)" > /dev/console
"""
"""A generator of systemd, which runs before any unit. The console misses the kernel's first messages."""
NEW_KERNEL = "6.1.0-99-s390x"
LINKS = ("vmlinuz", "initrd.img", "vmlinuz.old", "initrd.img.old")


class Quiet(SimpleHTTPRequestHandler):
    """Does not write what is asked for."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def archive() -> Iterator[str]:
    """Serve the archive on this machine; the source line that names it."""
    directory = debian_archive.directory()
    if not directory.is_dir():
        unavailable("the archive of s390x packages is not there; run tests/s390x/setup")
    handler = partial(Quiet, directory=os.fspath(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            yield f"deb [trusted=yes] {address} {recipe.BASE_SUITE} main"
        finally:
            server.shutdown()
            thread.join()


def emulating(directory: Path, *words: str | Path, **environment: str) -> str:
    """Run a command in a directory that can start s390x programs; return its output.

    secboot is in the search path.
    """
    done = subprocess.run(
        [sys.executable, "-m", private_binfmt.__name__, *words],
        cwd=directory,
        env={
            "PATH": f"{directory}/bin:{os.environ['PATH']}:/usr/sbin:/sbin",
            "PYTHONPATH": os.fspath(DOCS.parent),
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == private_binfmt.IMPOSSIBLE:
        not_here(done.stderr)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    return done.stdout


def build(directory: Path, pyz: Path) -> None:
    """Run the script in a directory."""
    for program in debian_archive.HOST_PROGRAMS:
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed; run tests/s390x/setup")
    (directory / "bin").mkdir()
    shutil.copy(pyz, directory / "bin/secboot")
    (directory / "script").write_text(blocks(DOCS / "how-to/images.md", "sh")[0])
    with archive() as source:
        said = emulating(directory, "sh", "script", MIRROR=source)
    (directory / "output").write_text(said)


def update_kernel(directory: Path) -> str:
    """Do what the package of a new kernel does, and its hook; return what secboot said.

    Debian's own program updates the links. The new kernel is a copy of the old one, which boots.
    """
    tree = directory / "tree"
    for name in ("vmlinuz", "initrd.img"):
        (old,) = tree.glob(f"boot/{name}-*")
        shutil.copy2(old, tree / f"boot/{name}-{NEW_KERNEL}")
    (tree / "etc/secboot").mkdir()
    (tree / "etc/secboot/profile").write_text("guest\n")
    update = ("linux-update-symlinks", "install", NEW_KERNEL, f"/boot/vmlinuz-{NEW_KERNEL}")
    emulating(directory, "chroot", tree, *update)
    return emulating(directory, "secboot", "keep", "--root", tree)


@pytest.fixture
def built(pyz: Path, tmp_path: Path) -> Iterator[Path]:
    """The directory with the tree, which is removed after the test, and what secboot said."""
    require_root()
    require_oracle()
    directory = tmp_path / "build"
    directory.mkdir()
    build(directory, pyz)
    yield directory
    shutil.rmtree(directory / "tree")


def make_disk(image: Path, tree: Path, work: Path, bed: TestBed) -> str:
    """Do what the page says after the script, and add `SHOW`; return what zipl printed.

    zipl is the one of the test bed, the same package: a loop device needs a helper script that tells
    it the geometry, and the tree stays as it is.
    """
    with image.open("wb") as file:
        file.truncate(DISK_SIZE)
    made = run(
        require("mke2fs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum,^64bit",
        "-L", "root", image,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with LoopDisk(image) as disk:
        subprocess.run(["cp", "-a", f"{tree}/.", disk.mount], check=True)
        generator = disk.mount / "etc/systemd/system-generators/show"
        generator.parent.mkdir()
        generator.write_text(SHOW)
        generator.chmod(0o755)
        cell = bed.cell(work, disk)
        with cell.system(disk.mount):
            for name in LINKS:
                (cell.directory / name).symlink_to((disk.mount / name).readlink())
            installed = cell.install()
        assert installed.accepted, installed.output
        return installed.output


def test_the_system_and_its_next_kernel_have_the_parameters_of_the_profile(
    built: Path, tmp_path: Path
) -> None:
    said = (built / "output").read_text()
    image = tmp_path / "disk.img"
    kept = update_kernel(built)

    written = make_disk(image, built / "tree", tmp_path / "cell", require_oracle())
    with machine([Disk(image)]) as running:
        running.wait_for(r"^@@CMDLINE .*\n|Kernel panic|\(initramfs\)", 240)
        booted = running.collect()

    assert "Wrote 1 file. Undo with: secboot rollback 2 --root tree" in said
    assert "PASS inherited.swiotlb: the existing sections boot new kernels" in said
    assert "Checks up to 'inherited': 3 passed, 0 warnings, 0 failed.\n" in said
    assert kept.startswith("Active profile: guest.\nNo changes: already matches the profile.\n")
    assert (built / "tree/vmlinuz").readlink() == Path(f"boot/vmlinuz-{NEW_KERNEL}")
    assert written.count(f"kernel parmline...: '{LINE}'") == 2
    assert booted.command_line == LINE, booted.console[-3000:]
    assert "Debian GNU/Linux 12" in booted.console
