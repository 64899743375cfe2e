"""The commands that change the re-IPL settings, run as shown with the real chreipl(8)."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable

import pytest

from secboot.ipl.reboot_advice import Surroundings, clearing_command
from secboot.running.firmware import IplSource
from tests.s390x.real_zipl import Cell

pytestmark = pytest.mark.oracle

REIPL = "sys/firmware/reipl"
DEVICES = ("bus/ccw/drivers/dasd-eckd/0.0.0120", "bus/ccw/drivers/zfcp/0.0.1700")
FCP = {"wwpn": "0x500507630a000001", "lun": "0x4000400000000000"}
FILES = (
    *("ccw/device", "ccw/loadparm", "ccw/parm", "reipl_type"),
    *(f"fcp/{name}" for name in ("device", "wwpn", "lun", "br_lba", "bootprog", "loadparm")),
    *(f"eckd/{name}" for name in ("device", "bootprog", "br_chr", "loadparm", "clear")),
    *("fcp/scp_data", "eckd/scp_data"),
)


def run(cell: Cell, command: str) -> dict[str, str]:
    """Run the command on empty settings; return those that it has set."""
    for name in DEVICES:
        (cell.directory / "sys" / name).mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = cell.directory / REIPL / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    program, *words = shlex.split(command, comments=True)
    assert program == "chreipl"
    subprocess.run(
        ["chroot", os.fspath(cell.directory), "/usr/bin/qemu", "/usr/sbin/chreipl", *words],
        check=True,
        capture_output=True,
    )
    found = {name: (cell.directory / REIPL / name).read_text() for name in FILES}
    return {name: text for name, text in found.items() if text}


@pytest.mark.parametrize(
    ("source", "text", "choice", "written"),
    [
        (
            IplSource("ccw", "0.0.0120", "2", "a b"),
            *(True, False),
            {"ccw/loadparm": "2\n", "ccw/parm": "\n"},
        ),
        (
            IplSource("ccw", "0.0.0120", "2", "a b"),
            *(False, True),
            {"ccw/loadparm": "\n", "ccw/parm": "a b\n"},
        ),
        (
            IplSource("ccw", "0.0.0120", "9", None),
            *(False, True),
            {"ccw/loadparm": "\n", "ccw/parm": "\n"},
        ),
        (
            IplSource("fcp", "0.0.1700", "", "=root=/dev/a", "2", FCP),
            *(True, False),
            {"fcp/scp_data": "\n", "fcp/bootprog": "2\n", "fcp/lun": f"{FCP['lun']}\n"},
        ),
        (
            IplSource("fcp", "0.0.1700", "1g2", "quiet", "2", FCP),
            *(False, True),
            {"fcp/scp_data": "quiet\n", "fcp/bootprog": "2\n", "fcp/loadparm": "\n"},
        ),
    ],
)
def test_the_shown_command_leaves_what_was_meant(
    cell: Cell, source: IplSource, text: bool, choice: bool, written: dict[str, str]
) -> None:
    command = clearing_command(source, text=text, choice=choice, surroundings=Surroundings())

    done = run(cell, command)

    assert done["reipl_type"] == f"{source.type}\n"
    assert written.items() <= done.items()


def test_the_type_eckd_is_changed_and_its_text_left_by_releases_before_2_41(
    cells: Callable[[str, str], Cell],
) -> None:
    cell = cells("cell", "2.40.0")
    source = IplSource("eckd", "0.0.0120", "", None, "3")

    done = run(cell, clearing_command(source, text=False, choice=True, surroundings=Surroundings()))
    text = run(cell, "chreipl eckd -d 0.0.0120 -p ''")

    assert (done["eckd/bootprog"], done["eckd/device"]) == ("0\n", "0.0.0120\n")
    assert "eckd/scp_data" not in text
