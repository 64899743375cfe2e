"""Reading the running system: /proc, /sys, and the devices of an IPL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secboot.running.firmware import disk_devices, read_ipl, read_reipl
from secboot.running.kernel_log import NO_MESSAGES, read_kernel_log
from secboot.running.system import read_reboot_settings, read_running
from secboot.system.root import Root


def write(tree: Path, files: dict[str, str]) -> Root:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return Root(tree)


def disk(tree: Path, path: str, device: str) -> None:
    """Map the file system of the tree to a block device in /sys."""
    number = Path(tree).stat().st_dev
    (tree / device).mkdir(parents=True)
    link = tree / path / f"{os.major(number)}:{os.minor(number)}"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(f"/{device}")


def test_how_the_system_was_and_will_be_ipled(tmp_path: Path) -> None:
    files = {
        "sys/firmware/ipl/ipl_type": "ccw\n",
        "sys/firmware/ipl/device": "0.0.0120\n",
        "sys/firmware/ipl/loadparm": "2\n",
        "sys/firmware/ipl/parm": "=single\n",
        "sys/firmware/reipl/reipl_type": "fcp\n",
        "sys/firmware/reipl/fcp/device": "0.0.1700\n",
        "sys/firmware/reipl/ccw/device": "0.0.0120\n",
    }
    with write(tmp_path, files) as root:
        ipl, reipl = read_ipl(root), read_reipl(root)

    assert ipl is not None
    assert (ipl.type, ipl.device, ipl.loadparm, ipl.parm) == ("ccw", "0.0.0120", "2", "=single")
    assert reipl is not None
    assert (reipl.type, reipl.device, reipl.parm) == ("fcp", "0.0.1700", None)


@pytest.mark.parametrize(
    ("device", "bus_id"),
    [
        ("sys/devices/css0/0.0.0004/0.0.0120/block/dasda/dasda1", "0.0.0120"),
        ("sys/devices/css0/0.0.0000/0.0.0001/virtio0/block/vda", "0.0.0001"),
        ("sys/devices/css0/0.0.0011/0.0.1700/host0/rport-0:0-0/target0:0:0/sda/sda1", "0.0.1700"),
    ],
)
def test_the_device_that_a_directory_is_on(tmp_path: Path, device: str, bus_id: str) -> None:
    disk(tmp_path, "sys/dev/block", device)
    with write(tmp_path, {"boot/bootmap": ""}) as root:
        assert disk_devices(root, "/boot/bootmap") == (bus_id,)


def test_a_logical_volume_is_on_all_its_disks(tmp_path: Path) -> None:
    disk(tmp_path, "sys/dev/block", "sys/devices/virtual/block/dm-0")
    for name, number in (("dasda1", "0120"), ("dasdb1", "0121")):
        real = f"sys/devices/css0/0.0.0004/0.0.{number}/block/{name}"
        (tmp_path / real).mkdir(parents=True)
        slaves = tmp_path / "sys/devices/virtual/block/dm-0/slaves"
        slaves.mkdir(exist_ok=True)
        (slaves / name).symlink_to(f"/{real}")
    with write(tmp_path, {"boot/bootmap": ""}) as root:
        assert disk_devices(root, "/boot/bootmap") == ("0.0.0120", "0.0.0121")


@pytest.mark.parametrize(("device", "elsewhere"), [("0.0.0120", False), ("0.0.0121", True)])
def test_a_reboot_from_another_disk_is_told(tmp_path: Path, device: str, elsewhere: bool) -> None:
    disk(tmp_path, "sys/dev/block", "sys/devices/css0/0.0.0004/0.0.0120/block/dasda/dasda1")
    files = {
        "boot/bootmap": "",
        "sys/firmware/reipl/reipl_type": "ccw\n",
        "sys/firmware/reipl/ccw/device": f"{device}\n",
    }
    with write(tmp_path, files) as root:
        alone = read_reboot_settings(root, "/boot/bootmap")
        whole = read_running(root, NO_MESSAGES, "/boot/bootmap").reboot_settings

    assert alone == whole
    assert alone is not None
    assert alone.elsewhere is elsewhere


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    with write(tmp_path, {"etc/x": ""}) as root:
        found = read_running(root, NO_MESSAGES, "/boot/bootmap")

    assert (found.command_line, found.release, found.kvm_hpage) == (None, None, None)
    assert (found.ultravisor.present, found.ipl, found.reipl, found.boot_record_disks) == (
        False,
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("text", "release"), [("5.14.0-427.el9.s390x", (5, 14)), ("5.4.0-1", (5, 4)), ("next", None)]
)
def test_releases_are_ordered_by_number(
    tmp_path: Path, text: str, release: tuple[int, int] | None
) -> None:
    with write(tmp_path, {"proc/sys/kernel/osrelease": text}) as root:
        assert read_running(root, NO_MESSAGES, None).release == release


def test_the_real_system_can_be_read() -> None:
    with Root(Path("/")) as root:
        found = read_running(root, read_kernel_log(Path("/dev/kmsg")), None)

    assert found.command_line == Path("/proc/cmdline").read_text().removesuffix("\n")
    assert found.release is not None
