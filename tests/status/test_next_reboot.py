"""Reports about a machine whose next reboot does not start what the boot record would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from secboot.report.status import status_document, status_text
from secboot.report.style import PLAIN
from secboot.status.checks import Outcome, make_checks
from secboot.status.stages import Stage, Status
from tests.situations import make_situation
from tests.status.scenes import Scene, log, only

REIPL = "sys/firmware/reipl"


def causes(status: Status, stage: Stage) -> list[str]:
    return [cause.code for cause in only(status).stages[stage].causes]


def hints(status: Status) -> str:
    """All hints."""
    said = [notice.hint for notice in status.notices]
    for requirement in status.requirements:
        said += [cause.hint for result in requirement.stages.values() for cause in result.causes]
    return "\n".join(filter(None, said))


@pytest.fixture
def machine(tmp_path: Path) -> Scene:
    return Scene(make_situation("reipl-parm", tmp_path / "machine"))


def settings(scene: Scene, kind: str, **files: str) -> None:
    shutil.rmtree(scene.tree / REIPL)
    scene.write(f"{REIPL}/reipl_type", f"{kind}\n")
    for name, text in files.items():
        scene.write(f"{REIPL}/{kind}/{name}", text)


def test_a_text_that_replaces_the_line_is_the_cause_and_no_reboot_helps(tmp_path: Path) -> None:
    scene = Scene(make_situation("scpdata-replaces-line", tmp_path / "machine"))

    status = scene.status("host", log(complete=False))

    assert causes(status, Stage.RUNNING) == ["reipl-text"]
    assert "chreipl node /boot -p ''  # a LOAD at the HMC" in hints(status)
    assert "reboot" not in hints(status)
    assert "LOADPARM " not in hints(status).replace("its own LOADPARM ", "")
    assert [n.code for n in status.notices] == ["reipl-text"]


def test_a_text_that_is_gone_from_the_settings_is_gone_with_a_reboot(tmp_path: Path) -> None:
    scene = Scene(make_situation("scpdata-replaces-line", tmp_path / "machine"))
    scene.write(f"{REIPL}/fcp/scp_data", "\n" + "\0" * 7)

    status = scene.status("host", log(complete=False))

    assert causes(status, Stage.RUNNING) == ["line-replaced"]
    assert hints(status).startswith("reboot, then check again")


def test_settings_without_a_choice_are_not_reported(machine: Scene) -> None:
    status = machine.status("host", log(complete=False))

    assert status.notices == ()
    assert status.reboot is not None
    assert causes(status, Stage.RUNNING) == ["not-ipled"]


def test_loadparm_of_an_entry_that_does_not_exist(machine: Scene) -> None:
    settings(machine, "ccw", device="0.0.0120\n", loadparm="9\n", parm="")

    status = machine.status("host", log(complete=False))
    (check,) = (c for c in make_checks(status, Stage.EFFECTIVE) if c.id == "machine.reipl-no-entry")

    assert check.outcome is Outcome.FAIL
    assert causes(status, Stage.RUNNING) == ["reipl-no-entry"]
    assert "chreipl ccw -d 0.0.0120 -L ''" in hints(status)
    assert "reboot" not in hints(status)


def test_a_word_of_the_profile_that_is_added(machine: Scene) -> None:
    settings(machine, "ccw", device="0.0.0120\n", loadparm="\n", parm="prot_virt=0\n")

    status = machine.status("host", log(complete=False))

    assert [(n.code, n.severity) for n in status.notices] == [("reipl-text", "warning")]
    assert "prot_virt=0 does not undo that" in status.notices[0].message
    # It makes no difference, so a reboot helps.
    assert causes(status, Stage.RUNNING) == ["not-ipled"]


def test_a_text_that_replaces_the_line_of_an_eckd_ipl(machine: Scene) -> None:
    settings(
        machine, "eckd", device="0.0.0120\n", loadparm="\n", scp_data="=root=/dev/mapper/x quiet"
    )

    status = machine.status("host", log(complete=False))

    assert [(n.code, n.severity) for n in status.notices] == [("reipl-text", "error")]
    assert "echo > /sys/firmware/reipl/eckd/scp_data  # chreipl supports" in hints(status)


@pytest.mark.parametrize("profile", ["host", None])
def test_another_entry_than_the_default(machine: Scene, profile: str | None) -> None:
    settings(machine, "ccw", device="0.0.0120\n", loadparm="3\n")

    status = machine.status(profile, log(complete=False))

    assert [(n.code, n.severity) for n in status.notices] == [("reipl-entry", "warning")]
    assert "0-rescue" in status.notices[0].message
    assert "(LOADPARM 3)" in status_text(status, PLAIN)
    assert status_document(status)["reboot"]["chooses"] == "entry"


def test_a_system_that_was_ipled_since_is_not_reported_as_ipled_before(machine: Scene) -> None:
    recorded = (machine.tree / "boot/bootmap").stat().st_mtime
    machine.write("proc/stat", f"cpu 1 2\nbtime {int(recorded) + 60}\n")

    status = machine.status("host", log(complete=False))

    assert causes(status, Stage.RUNNING) == ["another-line"]


@pytest.mark.parametrize("stat", ["", "btime\n", "btime x\n", "btime 99999999999999999999\n"])
def test_an_invalid_boot_time_is_unknown(machine: Scene, stat: str) -> None:
    machine.write("proc/stat", stat)

    assert causes(machine.status("host", log()), Stage.RUNNING) == ["not-ipled"]


@pytest.mark.parametrize("kind", ["", "../ipl", "a\0b", "\udcff", "x" * 99, "ccw\nfcp"])
def test_a_damaged_type_is_unknown(machine: Scene, kind: str) -> None:
    machine.write(f"{REIPL}/reipl_type", kind.encode("utf-8", "surrogateescape"))

    status = machine.status("host", log())

    assert status.reboot is not None
    assert status.reboot.chooses == "unknown"
    assert status_text(status, PLAIN).replace("\n", "").isprintable()


def test_bytes_that_are_not_text_are_shown_and_ignored(machine: Scene) -> None:
    settings(machine, "fcp", device="0.0.1700\n")
    machine.write(f"{REIPL}/fcp/scp_data", b"=\xff\x00\x1b[2J")

    status = machine.status("host", log())

    assert [notice.code for notice in status.notices] == ["reipl-device"]
    assert "SCPDATA is not read: '=\\xff" in status_text(status, PLAIN)


def test_nothing_is_reported_for_a_tree(machine: Scene) -> None:
    settings(machine, "ccw", device="0.0.0120\n", loadparm="9\n")

    status = machine.status("host")

    assert (status.reboot, status.notices) == (None, ())


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ({"device": "0.0.1700", "wwpn": "0x5005", "lun": "0x4001"}, True),
        ({"device": "0.0.1740", "wwpn": "0x5006", "lun": "0x4001"}, True),
        ({"device": "0.0.1740", "wwpn": "0x5006", "lun": "0x4002"}, False),
    ],
)
def test_another_device_than_that_of_the_ipl_if_the_disk_is_unknown(
    machine: Scene, address: dict[str, str], known: bool
) -> None:
    settings(machine, "fcp", bootprog="2\n", **address)
    shutil.rmtree(machine.tree / "sys/firmware/ipl")
    for name, text in {"ipl_type": "fcp", "device": "0.0.1700", "lun": "0x4001"}.items():
        machine.write(f"sys/firmware/ipl/{name}", f"{text}\n")

    status = machine.status("host", log(complete=False))

    expected = ["reipl-entry"] if known else ["reipl-device", "reipl-unknown"]
    assert [n.code for n in status.notices] == expected


def test_a_reboot_from_elsewhere_is_reported_without_any_selection(machine: Scene) -> None:
    """As on btrfs, where the kernel does not say which disk holds the boot record."""
    settings(machine, "eckd", device="0.0.0999", loadparm="")

    status = machine.status("host", log(complete=False))

    (found,) = status.notices
    assert found.message == "a reboot IPLs from 0.0.0999, but this system was IPLed from 0.0.0120"
    assert (found.code, found.hint) == ("reipl-device", "chreipl eckd -d 0.0.0120")
