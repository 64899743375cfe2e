"""A loop-mounted ext4 file system: a real block device where zipl can install.

zipl's dry run as root is only complete if its target is on a block device with mappable blocks.
A loop device is one, but without disk geometry, which `real_zipl.Cell` provides.

The process that mounted it holds a lock on its directory while it runs. So `remove_stale` can
remove what a killed test run has left without removing what another run uses.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.s390x.guest_disk import make_filesystem

PREFIX: Final = "secboot-loop-"


@dataclass(slots=True)
class LoopDisk:
    """An image mounted through a loop device while the context lasts. Needs root.

    ``image`` is mounted unchanged; without one, an empty file system of 256 MiB is created and
    removed afterwards. ``mount`` is the mount point, ``device`` the path of the loop device.
    """

    image: Path | None = None
    mount: Path = field(init=False)
    device: str = field(init=False)
    _work: Path = field(init=False)
    _lock: int = field(init=False)

    def __enter__(self) -> Self:
        self._work = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self._work, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # `remove_stale` only examines directories that contain this one, which are locked.
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
            os.close(self._lock)
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
        os.close(self._lock)

    def _find_device(self) -> str:
        for device, mount in _mounts():
            if mount == self.mount:
                return device
        raise OSError(f"{self.mount} is not in /proc/self/mounts")


def _mounts() -> list[tuple[str, Path]]:
    """Device and mount point of all mounts, in the order of mounting."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [(line.split(" ")[0], Path(line.split(" ")[1])) for line in lines]


def unmount(mount: Path) -> None:
    """Unmount; a loop device that the mount set up goes with it."""
    subprocess.run(["umount", mount], check=True)


def remove_stale() -> tuple[Path, ...]:
    """Unmount and remove what killed processes of this user have left; return the directories.

    A directory whose owner is running is locked and stays, and so does one that is still in use.
    """
    removed = []
    for work in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # its owner has just ended
            if work.stat().st_uid == os.geteuid() and (work / "mount").is_dir():
                removed += [work] if _removed_if_stale(work) else []
    return tuple(removed)


def _removed_if_stale(work: Path) -> bool:
    lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        devices = {device for device, mount in _mounts() if mount == work / "mount"}
        # A cell may have bound parts of the file system to other places.
        for _, mount in reversed([each for each in _mounts() if each[0] in devices]):
            unmount(mount)
        shutil.rmtree(work)
    except (BlockingIOError, subprocess.CalledProcessError):
        return False
    finally:
        os.close(lock)
    return True


@cache
def loop_problem() -> str:
    """Why no loop device can be mounted here; empty when one can."""
    if os.geteuid() != 0:
        return "mounting a loop device needs root"
    remove_stale()
    try:
        with LoopDisk():
            return ""
    except OSError as error:
        return str(error)
