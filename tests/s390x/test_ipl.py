"""A small s390x system IPLs from its disk what the real zipl wrote there."""

from pathlib import Path

import pytest

from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.real_zipl import Cell
from tests.s390x.testbed import BASE_ZIPL, require_oracle

pytestmark = pytest.mark.ipl

SECTION = f"""\
[defaultboot]
default=linux
[linux]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd
parameters="{ROOT} rw quiet mark=section"
"""

MENU = f"""\
[defaultboot]
defaultmenu=menu
[first]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd
parameters="{ROOT} quiet mark=first"
[second]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd
parameters="{ROOT} quiet mark=second"
:menu
target=/boot
1=first
2=second
default=1
prompt=0
"""

INSTALL = "cp zipl.conf /etc/zipl.conf && run zipl zipl -V"


def test_what_zipl_installed_inside_is_what_the_next_ipl_reads(guest: Guest) -> None:
    installed = guest.run(INSTALL, {"zipl.conf": SECTION}, direct=ROOT)
    assert installed.status("zipl") == 0, installed.output("zipl")

    booted = guest.run("run conf cat /etc/zipl.conf")

    assert booted.command_line == f"{ROOT} rw quiet mark=section"
    assert booted.output("conf").rstrip() == SECTION.rstrip()


def test_loadparm_chooses_a_menu_entry_and_the_default_boots_without(guest: Guest) -> None:
    installed = guest.run(INSTALL, {"zipl.conf": MENU}, direct=ROOT)
    assert installed.status("zipl") == 0, installed.output("zipl")

    by_default = guest.run("")
    chosen = guest.run("", loadparm="2")

    assert by_default.command_line == f"{ROOT} quiet mark=first"
    assert chosen.command_line == f"{ROOT} quiet mark=second"


def test_an_edited_file_changes_nothing_until_zipl_runs(guest: Guest) -> None:
    guest.run(INSTALL, {"zipl.conf": SECTION}, direct=ROOT)

    edited = guest.run("sed -i s/mark=section/mark=edited/ /etc/zipl.conf; run zipl zipl --dry-run")
    after = guest.run("run zipl zipl")
    last = guest.run("")

    assert edited.status("zipl") == 0
    assert after.command_line == f"{ROOT} rw quiet mark=section"
    assert last.command_line == f"{ROOT} rw quiet mark=edited"


@pytest.mark.oracle
def test_zipl_run_from_outside_on_the_image_makes_it_ipl(guest: Guest, tmp_path: Path) -> None:
    bed = require_oracle()

    with LoopDisk(guest.disk) as disk:
        cell = Cell(tmp_path / "cell", bed.zipl[BASE_ZIPL], bed.shell, disk)
        (disk.mount / "etc/zipl.conf").write_text(SECTION)
        with cell.system(disk.mount):
            installed = cell.install()
    booted = guest.run("")

    assert installed.accepted, installed.output
    assert booted.command_line == f"{ROOT} rw quiet mark=section"
