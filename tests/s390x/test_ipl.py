"""A small s390x system IPLs from its disk what the real zipl wrote there."""

from pathlib import Path

import pytest

from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
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
