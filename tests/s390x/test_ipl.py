"""A small s390x system IPLs from its disk what the real zipl wrote there."""

import os
import shutil
from pathlib import Path

import pytest

from secboot.formats.bootmap import read_bootmap
from tests.available import unavailable
from tests.s390x import bootmaps
from tests.s390x.boot_texts import single_section
from tests.s390x.bootmaps import DiskKind
from tests.s390x.emulator import Disk, boot
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT, make_filesystem
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.scenarios import MENU, SECTION
from tests.s390x.testbed import require_oracle

pytestmark = pytest.mark.ipl


def test_what_zipl_installed_inside_is_what_the_next_ipl_reads(guest: Guest) -> None:
    SECTION.install(guest)

    booted = guest.run("run conf cat /etc/zipl.conf")

    assert booted.command_line == SECTION.before
    assert booted.output("conf").rstrip() == SECTION.files["etc/zipl.conf"].rstrip()


def test_loadparm_chooses_a_menu_entry_and_the_default_boots_without(guest: Guest) -> None:
    MENU.install(guest)

    by_default = guest.run("")
    chosen = guest.run("", loadparm=MENU.loadparm)

    assert by_default.command_line == f"{ROOT} quiet mark=first"
    assert chosen.command_line == MENU.before == f"{ROOT} quiet mark=second"


def test_an_edited_file_changes_nothing_until_zipl_runs(guest: Guest) -> None:
    SECTION.install(guest)

    edited = guest.run("sed -i s/quiet/edited/ /etc/zipl.conf; run zipl zipl --dry-run")
    after = guest.run("run zipl zipl")
    last = guest.run("")

    assert edited.status("zipl") == 0
    assert after.command_line == SECTION.before
    assert last.command_line == SECTION.before.replace("quiet", "edited")


@pytest.mark.oracle
def test_zipl_run_from_outside_on_the_image_makes_it_ipl(guest: Guest, tmp_path: Path) -> None:
    bed = require_oracle()

    with LoopDisk(guest.disk) as disk:
        cell = bed.cell(tmp_path / "cell", disk)
        (disk.mount / "etc/zipl.conf").write_text(SECTION.files["etc/zipl.conf"])
        with cell.system(disk.mount):
            installed = cell.install()
    booted = guest.run("")

    assert installed.accepted, installed.output
    assert booted.command_line == SECTION.before


@pytest.mark.oracle
def test_each_disk_of_a_mirror_starts_what_the_record_says(tmp_path: Path) -> None:
    """Two disks with the same blocks at different offsets; zipl supports this since 2.39."""
    bed = require_oracle()
    version = max(bed.zipl, key=bootmaps.release)
    if bootmaps.release(version) < bootmaps.MIRRORS_SINCE:
        unavailable(f"zipl {version} writes no records for disks that differ")
    first, second = tmp_path / "first.img", tmp_path / "second.img"
    make_filesystem(first, None, 128 * 2**20)
    second.touch()
    os.truncate(second, _OFFSET * 512 + first.stat().st_size)
    line = "quiet mark=mirror"

    with LoopDisk(first) as disk, bootmaps.loop_device(second) as other:
        cell = bed.cell(disk.mount / "cell", disk, version)
        kinds = (DiskKind("SCSI", 512), DiskKind("SCSI", 512, offset=_OFFSET))
        bootmaps.prepare(cell, (disk.device, other), *kinds)
        cell.fill_with(
            {
                "boot/vmlinuz": bed.kernel.read_bytes(),
                "boot/initrd": bed.initramfs.read_bytes(),
                "etc/zipl.conf": single_section(line).encode(),
            }
        )
        written = cell.install()
        record = read_bootmap((cell.directory / "boot/bootmap").read_bytes())
    with first.open("rb") as source, second.open("r+b") as target:
        # All except the block with each disk's own boot record.
        source.seek(512)
        target.seek((_OFFSET + 1) * 512)
        shutil.copyfileobj(source, target)

    assert written.accepted, written.output
    assert record.default.parmline == line
    assert boot([Disk(first)]).command_line == line
    assert boot([Disk(second)]).command_line == line


_OFFSET = 20_480
"""Where the file system begins on the second disk, in blocks of 512 bytes."""
