"""A loop-mounted ext4 file system: a real block device for zipl to install on.

zipl's dry run as root goes all the way only when its target lies on a block device whose blocks it
can map. A loop device is one, though without disk geometry; `real_zipl.Cell` answers for that.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.s390x.guest_disk import make_filesystem


@dataclass(slots=True)
class LoopDisk:
    """An image mounted through a loop device while the context lasts. Needs root.

    ``image`` is mounted as it is; without one an empty file system of 256 MiB is made and
    removed afterwards. ``mount`` is the mount point, ``device`` the loop device's path.
    """

    image: Path | None = None
    mount: Path = field(init=False)
    device: str = field(init=False)
    _work: Path = field(init=False)

    def __enter__(self) -> Self:
        self._work = Path(tempfile.mkdtemp(prefix="secboot-loop-"))
        self.mount = self._work / "mount"
        self.mount.mkdir()
        image = self.image
        if image is None:
            image = self._work / "disk.img"
            make_filesystem(image, None, 256 * 1024 * 1024)
        try:
            subprocess.run(
                ["mount", "-o", "loop,nodiscard", image, self.mount],
                check=True,
                capture_output=True,
                text=True,
            )
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self._work)
            raise OSError(f"cannot mount a loop device: {error.stderr.strip()}") from error
        self.device = self._find_device()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        unmount(self.mount)
        shutil.rmtree(self._work)

    def _find_device(self) -> str:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            device, mount, *_ = line.split(" ")
            if mount == os.fspath(self.mount):
                return device
        raise OSError(f"{self.mount} is not in /proc/self/mounts")


def unmount(mount: Path) -> None:
    """Unmount; a loop device that the mount set up goes with it."""
    subprocess.run(["umount", mount], check=True)


@cache
def loop_problem() -> str:
    """Why no loop device can be mounted here; empty when one can."""
    if os.geteuid() != 0:
        return "mounting a loop device needs root"
    try:
        with LoopDisk():
            return ""
    except OSError as error:
        return str(error)
