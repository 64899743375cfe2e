"""What secboot reports about the next IPL is what the next IPL starts, in the booted system.

In each boot, secboot predicts the next one, which is compared with that boot's /proc/cmdline.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.s390x.emulator import IplResult
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import BLS, Installed

pytestmark = pytest.mark.ipl

PROFILE = f"version: 1\nrole: guest\nparameters:\n  root: {ROOT.removeprefix('root=')}\n"
"""The line of all boot entries here."""

OLD, NEW = (f"{ROOT} quiet mark={mark}" for mark in ("old", "new"))
UPDATED = f"{ROOT} quiet mark=updated"
FROM_OPTIONS = f"{ROOT} quiet mark=options"
INSTEAD = "quiet swiotlb=262144"
"""The line without the parameters that find the root."""

ENTRY = f"title Linux 6.2\nversion 6.2.0-1\nlinux /boot/vmlinuz.new\ninitrd /boot/initrd\noptions {UPDATED}\n"
NEW_KERNEL = """\
{ cat /boot/vmlinuz; head -c 8192 /dev/urandom; } > /boot/vmlinuz.new
cp c-6.2.conf /boot/loader/entries/
"""
"""A kernel update without a run of zipl."""


def show(name: str) -> str:
    """Script: what secboot reports that the next IPL can start and a reboot starts."""
    return f"run {name} secboot show --output json\n"


def verify(name: str) -> str:
    """Script: whether everything is in order, up to the boot record."""
    return f"run {name} secboot verify ./site.yaml --stage installed\n"


def said(result: IplResult, name: str) -> dict[str, Any]:
    assert result.status(name) == 0, result.output(name)
    found: dict[str, Any] = json.loads(result.output(name))
    return found


def lines(shown: dict[str, Any]) -> list[tuple[str | None, str]]:
    """LOADPARM and parameter line of each choice, the default first."""
    choices = sorted(shown["choices"], key=lambda choice: not choice["default"])
    return [(choice["loadparm"], choice["parameters"]) for choice in choices]


def verified(result: IplResult, *names: str) -> dict[str, int]:
    """The exit status of each; 5 if something is not met."""
    return {name: result.status(name) for name in names}


def test_a_kernel_update_without_zipl_and_a_loadparm_that_stays(
    installed: Installed, tmp_path: Path
) -> None:
    guest = installed.guest(BLS, tmp_path)
    files = {"site.yaml": PROFILE, "c-6.2.conf": ENTRY}

    first = guest.run(verify("before") + NEW_KERNEL + verify("after") + show("updated"), files)
    second = guest.run(
        verify("before")
        + "run apply secboot apply ./site.yaml\n"
        + verify("after")
        + show("applied")
        + "echo 3 > /sys/firmware/reipl/ccw/loadparm\n"
        + show("chosen"),
        files,
    )
    third = guest.run(verify("after") + show("third"), files, loadparm="3")

    updated, applied, chosen = (
        said(first, "updated"),
        said(second, "applied"),
        said(second, "chosen"),
    )
    assert verified(first, "before", "after") == {"before": 0, "after": 5}
    assert "Linux 6.2" in first.output("after")
    assert lines(updated) == [("1", NEW), ("2", OLD)]
    assert updated["reboot"]["line"] == NEW == second.command_line

    assert verified(second, "before", "apply", "after") == {"before": 5, "apply": 0, "after": 0}
    assert lines(applied) == [("1", UPDATED), ("2", NEW), ("3", OLD)]
    assert applied["reboot"]["line"] == UPDATED
    # The emulator is restarted for each IPL, with the LOADPARM that was left for it.
    assert chosen["reboot"]["source"]["loadparm"] == "3"
    assert chosen["reboot"]["line"] == OLD == third.command_line

    assert verified(third, "after") == {"after": 0}
    assert "LOADPARM 3" in third.output("after")
    assert said(third, "third")["reboot"]["line"] == OLD, (
        "an IPL's LOADPARM is that of a reboot, too"
    )


def test_a_record_made_from_options_a_text_for_the_next_ipl_and_no_record_at_all(
    installed: Installed, tmp_path: Path
) -> None:
    guest = installed.guest(BLS, tmp_path)
    files = {"site.yaml": PROFILE}

    first = guest.run(
        f"run zipl zipl -t /boot -i /boot/vmlinuz -r /boot/initrd -P '{FROM_OPTIONS}'\n"
        + verify("after")
        + show("written"),
        files,
    )
    second = guest.run(
        verify("before")
        + "echo fcp > /sys/firmware/reipl/reipl_type\n"
        + f"printf '={INSTEAD}' > /sys/firmware/reipl/fcp/scp_data\n"
        + verify("with-text")
        + show("text")
        + "echo ccw > /sys/firmware/reipl/reipl_type\n"
        + "rm /boot/bootmap\n"
        + verify("removed")
        + show("nothing")
        + "run apply secboot apply ./site.yaml\n"
        + show("applied"),
        files,
    )
    third = guest.run(verify("after"), files)

    written, text, applied = said(first, "written"), said(second, "text"), said(second, "applied")
    assert verified(first, "zipl", "after") == {"zipl": 0, "after": 0}
    assert lines(written) == [(None, FROM_OPTIONS)]
    assert written["reboot"]["line"] == FROM_OPTIONS == second.command_line

    assert verified(second, "before", "with-text") == {"before": 0, "with-text": 5}
    assert (
        f"FAIL machine.reipl-text: SCPDATA in the re-IPL settings starts with '=': a reboot replaces the line of every boot entry with '{INSTEAD}'"
        in second.output("with-text")
    )
    assert (text["reboot"]["line"], text["reboot"]["source"]["type"]) == (INSTEAD, "fcp")
    assert verified(second, "removed", "apply") == {"removed": 5, "apply": 0}
    assert lines(said(second, "nothing")) == []
    assert said(second, "nothing")["reboot"]["line"] is None
    assert lines(applied) == [("1", NEW), ("2", OLD)]
    assert applied["reboot"]["line"] == NEW == third.command_line
    assert verified(third, "after") == {"after": 0}


def test_a_loadparm_left_in_reipl_and_a_removed_bootmap(
    installed: Installed, tmp_path: Path
) -> None:
    """By re-IPLs of the running system: nothing is passed on except what the guest itself left."""
    guest = installed.guest(BLS, tmp_path)
    default = f"version: 1\nrole: guest\nparameters:\n  root: {ROOT.removeprefix('root=')}\n  mark: new\nentries: default\n"
    result = guest.reipl(
        [
            verify("before")
            + "echo 2 > /sys/firmware/reipl/ccw/loadparm\n"
            + verify("chosen")
            + show("second"),
            verify("still")
            + "run default secboot verify ./default.yaml --stage installed\n"
            + "rm /boot/bootmap\necho > /sys/firmware/reipl/ccw/loadparm\n"
            + verify("removed")
            + show("removed-record"),
            verify("without")
            + show("without-record")
            + "run apply secboot apply ./site.yaml\n"
            + verify("written")
            + show("record"),
            verify("last"),
        ],
        {"site.yaml": PROFILE, "default.yaml": default},
    )

    assert result.finished, f"after {result.wall:.0f} s:\n{result.console[-3000:]}"
    # The blocks of the removed file were not overwritten, so the third IPL still starts them.
    assert result.command_lines == [NEW, OLD, NEW, NEW]
    assert verified(result, "before", "chosen", "still") == {"before": 0, "chosen": 0, "still": 0}
    assert said(result, "second")["reboot"]["line"] == OLD
    assert "WARN machine.reipl-entry" in result.output("chosen")
    assert "WARN machine.reipl-entry" in result.output("still")
    assert verified(result, "default") == {"default": 5}
    assert "FAIL machine.reipl-entry: a reboot starts 'Linux 6.1' (LOADPARM 2)" in result.output(
        "default"
    )
    assert verified(result, "removed", "without") == {"removed": 5, "without": 5}
    for name in ("removed-record", "without-record"):
        shown = said(result, name)
        assert (shown["choices"], shown["reboot"]["line"]) == ([], None), "not known, and said so"
    assert verified(result, "apply", "written", "last") == {"apply": 0, "written": 0, "last": 0}
    assert said(result, "record")["reboot"]["line"] == NEW
