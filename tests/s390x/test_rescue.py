"""docs/how-to/rescue.md, command by command: a machine that does not boot, a rescue system, and an IPL of what it repaired.

The rescue system comes from another disk and is started with ``cio_ignore=``, so that the machine's disk
must be freed and brought online first, like a DASD. It has no udev: its links are made by
`UDEV`. The page's device number and partition are replaced by those of the emulated disk, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.test_pages import DOCS, blocks
from tests.s390x.emulator import DirectKernel, Disk, IplResult, machine
from tests.s390x.guest import PRELUDE, Guest, copy_disk
from tests.s390x.guest_disk import job_disk
from tests.s390x.scenarios import BLS, Installed
from tests.s390x.test_trial_ipl import DEADLY
from tests.s390x.testbed import TestBed
from tests.workshop import Workshop

pytestmark = pytest.mark.ipl

PAGE = DOCS / "how-to/rescue.md"
CHANGE = """\
cp /opt/secboot.pyz /usr/bin/secboot
chmod 755 /usr/bin/secboot
run apply secboot apply ./deadly.yaml
"""
RESCUE = "root=/dev/disk/by-path/ccw-0.0.0004 cio_ignore=all,!0.0.0002-0.0.0004"
ONLINE = "/sys/bus/ccw/devices/0.0.0001/online"
WAIT = f"""\
for _ in $(seq 300); do
    block=$(echo /sys/bus/ccw/devices/0.0.0001/virtio*/block/*)
    grep -q 1 {ONLINE} && [ -e "$block" ] && break
    usleep 100000
done
"""
"""The driver of a virtio disk brings it online, which that of a DASD does not, and takes its time."""
UDEV = f"""\
{WAIT}ln -s /dev/${{block##*/}} /dev/disk/by-path/ccw-0.0.0001
mkdir -p /mnt
"""


@dataclass(frozen=True)
class Step:
    """A block of the page: its start, the exit status of its last command, and what to run before it.

    A status of None is any; `last` takes the last line of the block alone.
    """

    beginning: str
    status: int | None = 0
    before: str = ""
    last: bool = False

    def text(self) -> str:
        """Return the block, adapted to the emulated disk."""
        (block,) = (each for each in blocks(PAGE, "sh") if each.startswith(self.beginning))
        block = block.splitlines()[-1] if self.last else block
        return block.replace("0.0.0120-part1", "0.0.0001").replace("0.0.0120", "0.0.0001")


MOUNT = Step("mount ", before=UDEV)
UNMOUNT = Step("for each in dev ")
WAYS = {
    "with secboot": (
        Step("chzdev "),
        MOUNT,
        # Somebody edited zipl.conf as well, so that zipl refuses everything.
        Step("secboot history ", status=1, before="echo '; by hand' >> /mnt/etc/zipl.conf\n"),
        Step("secboot check "),
        UNMOUNT,
    ),
    "with the machine's own": (
        # It fails if the driver was faster.
        Step("echo free ", status=None),
        Step("echo free ", before=f"{WAIT}echo 0 > {ONLINE}\n", last=True),
        MOUNT,
        Step("chroot /mnt secboot "),
        UNMOUNT,
    ),
    "without secboot": (
        Step("chzdev "),
        MOUNT,
        Step("ls /mnt"),
        UNMOUNT,
    ),
}


def rescue(guest: Guest, steps: Sequence[Step], bed: TestBed) -> IplResult:
    """Boot the rescue system, with the guest's disk as a second one, and run the steps in it."""
    job, other = guest.directory / "rescue-job.img", guest.directory / "rescue.img"
    script = "".join(
        f"{step.before}run step{number} . ./step{number}\n" for number, step in enumerate(steps)
    )
    files = {f"step{number}": step.text() for number, step in enumerate(steps)}
    job_disk(job, PRELUDE + script, files)
    copy_disk(bed.base_disk, other)
    read_only = [Disk(guest.program, read_only=True), Disk(job, read_only=True)]
    kernel = DirectKernel(bed.kernel, bed.initramfs, RESCUE)
    with machine([Disk(guest.disk), *read_only, Disk(other)], kernel) as running:
        return running.result(180)


@pytest.fixture(scope="session")
def broken(installed: Installed, workshop: Workshop) -> Path:
    """The disk of a machine whose next IPL starts a kernel that fails."""

    def make(directory: Path) -> None:
        guest = installed.guest(BLS, directory)
        done = guest.run(CHANGE, {"deadly.yaml": DEADLY})
        assert done.status("apply") == 0, done.output("apply")
        dead = guest.run("")
        assert not dead.finished
        assert dead.command_line is None

    return workshop.directory("rescue-broken", make) / "disk.img"


@pytest.mark.parametrize("way", WAYS)
def test_the_repaired_disk_boots_as_before(
    way: str, bed: TestBed, broken: Path, program_disk: Path, tmp_path: Path
) -> None:
    guest = Guest.create(bed, tmp_path, program_disk, broken)

    repaired = rescue(guest, WAYS[way], bed)
    booted = guest.run("run conf cat /etc/zipl.conf\n")

    for number, step in enumerate(WAYS[way]):
        status = repaired.status(f"step{number}")
        assert step.status in {None, status}, repaired.output(f"step{number}")
    assert repaired.finished
    assert booted.command_line == BLS.before
    assert BLS.files["etc/zipl.conf"] in booted.output("conf")
