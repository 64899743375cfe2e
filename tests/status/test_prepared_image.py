"""Stages of a Secure Execution image that a profile names: *configured* is about its parmfile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.command import act_on_running_system, secboot
from tests.profile.profile_files import IMAGE_PROFILE
from tests.rights import as_nobody
from tests.secure_images import build_image
from tests.situations import make_situation
from tests.status.scenes import RECORDED, Scene, add_system
from tests.trees import hide_boot_record, plain_kernel

MET, UNMET = "root=/dev/mapper/luks swiotlb=262144\n", "root=/dev/mapper/luks\n"
_MARKS = {"met": "+", "missing": "-", "unknown": "?", "not-applicable": "."}


def guest(tmp_path: Path, parmfile: str | None, name: str = "sealed-only") -> Scene:
    scene = Scene(make_situation(name, tmp_path / "root"))
    scene.write("etc/secboot/profiles/site.yaml", IMAGE_PROFILE)
    if parmfile is not None:
        scene.write("etc/secboot/guest.parm", parmfile)
        os.utime(scene.tree / "etc/secboot/guest.parm", (1, 1))
    return scene


def built(scene: Scene, line: str, *, encrypted: bool) -> None:
    image = build_image(plain_kernel(0x20000, 4096), b"ramdisk", line.encode(), encrypted=encrypted)
    (scene.tree / "boot/secure-linux").write_bytes(image)


def status(
    capsys: pytest.CaptureFixture[str], scene: Scene
) -> tuple[str, dict[str, str], dict[str, Any]]:
    said = secboot(capsys, "status", "site", "--output", "json", "--root", scene.tree)
    assert said.code == 0, said
    document = json.loads(said.out)
    stages = document["requirements"][0]["stages"]
    marks = "".join(_MARKS[stages[stage]["verdict"]] for stage in stages)
    return marks, {n["code"]: n["severity"] for n in document["notices"]}, document


@pytest.mark.parametrize(
    ("parmfile", "inside", "encrypted", "marks"),
    [
        (None, MET, True, "--..."),
        (UNMET, MET, True, "--..."),
        (MET, UNMET, True, "++..."),
        (UNMET, MET, False, "--..."),
    ],
)
def test_the_parmfile_is_what_is_configured_and_inherited(
    parmfile: str | None,
    inside: str,
    encrypted: bool,
    marks: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = guest(tmp_path, parmfile)
    built(scene, inside, encrypted=encrypted)

    found, _, _ = status(capsys, scene)

    assert found == marks


def test_an_image_that_is_older_than_its_parmfile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = guest(tmp_path, MET)
    os.utime(scene.tree / "etc/secboot/guest.parm")

    marks, notices, _ = status(capsys, scene)

    assert marks == "++..."
    assert notices["image-not-rebuilt"] == "warning"
    said = secboot(capsys, "verify", "site", "--strict", "--root", scene.tree)
    assert said.code == 5
    assert "WARN machine.image-not-rebuilt" in said.out


def test_an_image_that_nothing_boots_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = guest(tmp_path, MET)
    text = (scene.tree / "etc/zipl.conf").read_text().replace("/boot/secure-linux", "/boot/linux")
    scene.write("etc/zipl.conf", text)
    scene.write("boot/linux", plain_kernel(0x20000, 4096))

    _, _, document = status(capsys, scene)

    image = document["entries"][-1]
    assert image["name"] == "/boot/secure-linux"
    assert image["configured"][0]["verdict"] == "met"
    assert image["installed"][0]["verdict"] == "missing"
    assert "no boot entry boots" in image["installed"][0]["reason"]
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "m.json").write_text(json.dumps(document))
    assert secboot(capsys, "fleet", fleet).code == 5


@pytest.mark.parametrize(("line", "code"), [(MET, 0), (UNMET, 1)])
def test_in_the_guest(
    line: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = guest(tmp_path, None)
    add_system(scene, "z16-se-guest", line.strip(), "guest")
    hide_boot_record(scene.tree, RECORDED + 10**9)
    act_on_running_system(monkeypatch)

    first = secboot(capsys, "apply", "site", "--no-zipl", "--root", scene.tree)

    assert first.code == 0, first
    assert (scene.tree / "etc/secboot/guest.parm").read_text() == MET
    assert ("To build the Secure Execution image" in first.out) == (line == UNMET)
    again = secboot(capsys, "apply", "site", "--no-zipl", "--root", scene.tree)
    assert again.code == code, again
    assert ("No changes: already matches the profile." in again.out) == (not code)
    assert ("To build" in again.err or "to build" in again.err) == bool(code)


@pytest.mark.parametrize("closed", ["etc/secboot/guest.parm", "etc/secret"])
def test_a_parmfile_that_may_not_be_read_is_unknown(
    closed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        scene = guest(place, MET)
        if closed == "etc/secret":
            (scene.tree / closed).mkdir()
            profile = IMAGE_PROFILE.replace("/etc/secboot/guest.parm", "/etc/secret/guest.parm")
            scene.write("etc/secboot/profiles/site.yaml", profile)
        (scene.tree / closed).chmod(0)

        with as_nobody():
            marks, _, document = status(capsys, scene)
            planned = secboot(capsys, "plan", "site", "--root", scene.tree)
        (scene.tree / closed).chmod(0o700)

    assert marks == "??..."
    assert "cannot be read" in document["requirements"][0]["stages"]["configured"]["reason"]
    assert planned.code == 1
    assert "the parmfile cannot be read: permission denied" in planned.err
