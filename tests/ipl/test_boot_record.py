"""Where the boot record is, and in what it is not what zipl would write now."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.ipl.boot_record import RecordState, compare
from secboot.machine.discovery import discover
from secboot.machine.installed_zipl import boot_targets
from secboot.system.root import Root
from tests.status.scenes import make_scene


@pytest.mark.parametrize("setup", ["section", "menu", "bls"])
@pytest.mark.parametrize("recorded", ["2.16.0-scsi-4096", "2.40.0-eckd-cdl-4096"])
def test_a_record_of_these_files_is_current(tmp_path: Path, setup: str, recorded: str) -> None:
    record = compare(make_scene(tmp_path, setup, recorded).machine())

    assert record.bootmap is not None
    assert (record.stale, record.differences, record.unreadable) == (None, (), None)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("quiet rd.zfcp", "loud rd.zfcp", "holds another parameter line for 'second'"),
        ("default=3", "default=7", "does not boot 'first' by default"),
        ("12=silent\n", "", "holds an entry 12 that the files do not have"),
        ("7=first", "8=first", "has 'first' as number 7, not 8"),
        ("defaultmenu=menu", "default=second", "is a menu of boot entries"),
        (
            "ramdisk=/boot/initrd\nparameters=",
            "parameters=",
            "boots 'first' with a ramdisk",
        ),
    ],
)
def test_every_difference_is_named(tmp_path: Path, old: str, new: str, difference: str) -> None:
    scene = make_scene(tmp_path, "menu")
    scene.replace("etc/zipl.conf", old, new)

    record = compare(scene.machine())

    assert record.differences[0] == difference
    assert record.stale is not None
    assert record.stale.startswith(f"/boot/bootmap {difference}")


@pytest.mark.parametrize(("gone", "what"), [("boot/vmlinuz", "kernel"), ("boot/initrd", "ramdisk")])
def test_a_file_that_is_gone_is_not_what_an_ipl_finds(tmp_path: Path, gone: str, what: str) -> None:
    """The record points to blocks that may belong to something else by now."""
    scene = make_scene(tmp_path, "section")
    (tmp_path / gone).unlink()

    record = compare(scene.machine())

    assert record.differences[0] == f"boots 'linux' with a {what} that is gone, /{gone}"
    assert [entry.name for entry in record.lacking] == ["linux"]


def test_a_younger_file_alone_does_not_make_a_record_stale(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    scene.replace("etc/zipl.conf", "[defaultboot]", "# a comment\n[defaultboot]")

    record = compare(scene.machine())

    assert record.younger_files == ("/etc/zipl.conf",)
    assert record.stale is None


def test_the_record_of_a_menu_is_in_the_menu_s_own_target(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "menu", recorded=None)
    scene.replace("etc/zipl.conf", ":menu\ntarget=/boot", ":menu\ntarget=/boot/menu")
    with Root(tmp_path) as root:
        targets = boot_targets(discover(root).configuration)

    assert targets == ("/boot/menu", "/boot")


def test_without_a_bootmap_zipl_is_due(tmp_path: Path) -> None:
    record = compare(make_scene(tmp_path, "section", recorded=None).machine())

    assert (record.path, record.state) == ("/boot/bootmap", RecordState.MISSING)
    assert record.stale == "there is no /boot/bootmap: zipl has not run here, or it was removed"
