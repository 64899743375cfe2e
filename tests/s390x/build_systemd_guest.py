"""The guest's second disk image: the same system, to be brought up by systemd.

IPLed with ``init=/lib/systemd/systemd`` it goes the way of any machine to multi-user.target, and
then runs the job of the test. Without it, its init is that of the other image. As an image for
many machines it has no machine ID yet, so that its first boot is one for systemd, too.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.s390x.apt import Suite, unpack
from tests.s390x.build_guest import HERE, make_base_disk
from tests.s390x.recipe import SYSTEMD_PACKAGES

JOB_UNIT: Final = "guest-job.service"
SYSTEMD: Final = Path("usr/lib/systemd")
KEPT: Final = (
    "*.slice",
    "*.target",
    "*.wants",
    "systemd-journal-flush.service",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-machine-id-commit.service",
    "systemd-remount-fs.service",
)
"""systemd's units that the guest keeps. The others set up what it has not (terminals, networks,
encrypted disks, D-Bus), and so do its generators; an emulated machine takes long over each."""


def add_systemd_disk(suite: Suite, work: Path) -> None:
    """Make ``systemd.img`` of ``root/`` in a guest's ``work`` directory and Debian's systemd."""
    root = work / "systemd-root"
    subprocess.run(["cp", "-a", "--reflink=auto", work / "root", root], check=True)
    for file in suite.download(SYSTEMD_PACKAGES).values():
        unpack(file, root)
    _leave_out_units(root / SYSTEMD / "system")
    shutil.rmtree(root / SYSTEMD / "system-generators")
    _furnish(root)
    make_base_disk(work, root, work / "systemd.img")
    shutil.rmtree(root)


def _leave_out_units(directory: Path) -> None:
    for unit in directory.iterdir():
        if not any(unit.match(pattern) for pattern in KEPT):
            shutil.rmtree(unit) if unit.is_dir() and not unit.is_symlink() else unit.unlink()
    for link in directory.glob("*.wants/*"):
        if not link.exists():
            link.unlink()


def _furnish(root: Path) -> None:
    """Add what maintainer scripts and an installer would have made."""
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/machine-id").write_text("uninitialized\n")
    units = root / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    shutil.copyfile(HERE / JOB_UNIT, units / JOB_UNIT)
    (units / "multi-user.target.wants" / JOB_UNIT).symlink_to(f"../{JOB_UNIT}")
