"""SUSE's own Secure Execution image: what builds it, which line is judged, and whether it stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from secboot.finding import Severity
from secboot.status.stages import Status
from tests.command import Said, act_on_running_system, secboot
from tests.layout.test_suse_chain import edit
from tests.situations import make_situation
from tests.status.scenes import Scene, add_system, log, verdicts
from tests.trees import SAMPLES, sealed_image, snapshot

GRUB = "etc/default/grub"
CFG = "boot/grub2/grub.cfg"
ENABLE = 'SUSE_S390_SE_ENABLE="true"'
KEYS = ("HKD-8561-0000000.crt", "ibm-z-host-key-signing-gen2.crt", "DigiCertCA.crt")
SETTINGS = f"""{ENABLE}
SUSE_S390_SE_HOST_KEY="/etc/se/{KEYS[0]}"
SUSE_S390_SE_HOST_KEY_SIGNING_KEY="/etc/se/{KEYS[1]}"
SUSE_S390_SE_CA_CERT="/etc/se/{KEYS[2]}"
"""
MAPPED = log("software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)")
RECIPE = ("genprotimg", "pvimg", "rebuild", "PARMFILE")


def make(situation: str, root: Path) -> Scene:
    """A machine that is configured to build an image, with the keys for it.

    The first stage of suse-sealed is such an image; that of suse-healthy, which has a boot record,
    is not.
    """
    scene = Scene(make_situation(situation, root))
    if situation != "suse-sealed":
        text = (root / GRUB).read_text()
        scene.write(GRUB, text + SETTINGS)
    for name in KEYS:
        scene.write(f"etc/se/{name}", "-----BEGIN CERTIFICATE-----\n")
    return scene


def codes(status: Status) -> dict[str, Severity]:
    return {notice.code: notice.severity for notice in status.notices if "secure" in notice.code
            or "unsealed" in notice.code or "image" in notice.code}  # fmt: skip


def met(scene: Scene) -> Scene:
    edit(scene.tree, GRUB, ("rd.luks=1 quiet", "rd.luks=1 quiet swiotlb=262144"))
    edit(scene.tree, CFG, ("rd.luks=1 quiet", "rd.luks=1 quiet swiotlb=262144"))
    return scene


def test_the_distribution_builds_the_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = make("suse-sealed", tmp_path / "root")

    said = secboot(capsys, "plan", "guest", "--root", scene.tree)

    assert said.code == 0
    assert not [word for word in RECIPE if word in said.out]
    assert "grub2-mkconfig -o /boot/grub2/grub.cfg: " in said.out
    assert "grub2-zipl-setup: " in said.out
    assert '+GRUB_CMDLINE_LINUX_DEFAULT="rd.luks=1 quiet swiotlb=262144"' in said.out
    assert "follows /etc/default/grub" in said.out
    assert "warning: it is unknown" not in said.out
    assert secboot(capsys, "apply", "guest", "--root", scene.tree).code == 0
    assert "swiotlb=262144" in (scene.tree / GRUB).read_text()


def test_the_line_that_reaches_the_last_kernel_is_judged(tmp_path: Path) -> None:
    scene = make("suse-sealed", tmp_path / "root")
    assert verdicts(scene.status("guest")) == "---.."

    assert verdicts(met(scene).status("guest")) == "++-.."

    assert codes(scene.status("guest")) == {}


def test_in_the_guest_the_line_is_that_of_grub_cfg(tmp_path: Path) -> None:
    """None of it is in the image, whatever is known about the boot record."""
    line = "root=/dev/mapper/cr_root rd.luks=1 quiet"
    scene = make("suse-sealed", tmp_path / "root")
    add_system(scene, "z16-se-guest", line, "guest")

    lacks = scene.status("guest", log())

    assert lacks.origin is not None
    assert lacks.origin.description.startswith("it matches 'SLES 16.0'")
    (found,) = lacks.requirements
    causes = [cause for result in found.stages.values() for cause in result.causes]
    assert {cause.code for cause in causes} & {"not-installed", "not-applied"}
    assert "sealed-line" not in {cause.code for cause in causes}
    assert not [c for c in causes if "rebuild" in c.message or "genprotimg" in (c.hint or "")]

    met(scene)
    scene.write("proc/cmdline", f"{line} swiotlb=262144\n")
    assert verdicts(scene.status("guest", MAPPED)) == "++-++"


@pytest.mark.parametrize(
    ("change", "record", "found", "reason"),
    [
        ((), "image", {}, ""),
        (("true", "yes"), "image", {}, ""),
        (("true", "1"), "image", {}, ""),
        (("true", "false"), "image", {"unsealed-after-zipl": "warning"}, 'is "false"'),
        (("true", "on"), "image", {"unsealed-after-zipl": "warning"}, 'is "on"'),
        ((ENABLE, ""), "image", {"unsealed-after-zipl": "warning"}, "is not set"),
        (
            (ENABLE, "SUSE_S390_SE_ENABLE=$x"),
            "image",
            {"secure-default-unknown": "warning"},
            "do not read the same way",
        ),
        (
            ("/etc/se/Digi", "/etc/no/Digi"),
            "image",
            {"secure-default-unknown": "warning"},
            "does not exist",
        ),
        (('"/etc/se/HKD', '"/etc/se/DigiCertCA.crt,/etc/se/HKD'), "image", {}, ""),
        ((), "ordinary", {"unsealed-default": "error"}, "is configured to build"),
        (
            ('"/etc/se/HKD', '"/etc/se/DigiCertCA.crt,/etc/se/HKD'),
            "ordinary",
            {"unsealed-default": "error", "secure-default-unknown": "warning"},
            "names several files",
        ),
        ((SETTINGS, ""), "ordinary", {}, ""),
        (("true", "false"), "ordinary", {}, ""),
    ],
)
def test_whether_it_stays(
    change: tuple[str, str] | tuple[()],
    record: str,
    found: dict[str, str],
    reason: str,
    tmp_path: Path,
) -> None:
    """The variable and what the boot record starts decide, not the template, which always exists."""
    scene = make("suse-healthy", tmp_path / "root")
    scene.write("etc/default/se-parm.conf.in", "root=@GRUB_DEVICE@ @GRUB_CMDLINE_LINUX@ initgrub\n")
    kernel = scene.tree / "boot/zipl/image"
    if record == "image":
        scene.write("boot/zipl/image", sealed_image(kernel.stat().st_size))
    if change:
        edit(scene.tree, GRUB, change)

    status = scene.status("guest")

    told = codes(status)
    told.pop("unsealed-entry", None)
    assert told == {code: Severity(severity) for code, severity in found.items()}
    if found:
        assert any(reason in notice.message for notice in status.notices if notice.code in found)


def running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scene: Scene, *words: str
) -> Said:
    act_on_running_system(monkeypatch)
    return secboot(capsys, *words, "--root", scene.tree)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (("true", "false"), 'set SUSE_S390_SE_ENABLE="true" in /etc/default/grub'),
        (("/etc/se/Digi", "/etc/no/Digi"), "/etc/no/DigiCertCA.crt, which does not exist"),
    ],
)
def test_grub2_zipl_setup_is_not_run_where_it_takes_the_guest_out(
    change: tuple[str, str],
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = make("suse-sealed", tmp_path / "root")
    add_system(scene, "z16-se-guest", "root=/dev/mapper/cr_root rd.luks=1 quiet", "guest")
    edit(scene.tree, GRUB, change)
    before = snapshot(scene.tree)

    said = running(monkeypatch, capsys, scene, "apply", "guest", "--no-zipl")

    assert said.code == 1
    assert remedy in said.err
    assert "--allow-unsealed" in said.err
    assert snapshot(scene.tree) == before


def test_a_plain_first_stage_is_rebuilt_if_an_image_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This is the way back into Secure Execution, so it is not refused."""
    scene = make("suse-healthy", tmp_path / "root")

    said = secboot(capsys, "plan", "host", "--root", scene.tree)

    assert said.code == 0
    assert "Then run chroot" in said.out
    assert "does not boot the Secure Execution image that" in said.out
    assert "secboot cannot change this system" not in said.out


def test_an_older_first_stage_is_not_an_outdated_image(tmp_path: Path) -> None:
    """It starts any kernel that grub.cfg names."""
    scene = make("suse-sealed", tmp_path / "root")
    image = scene.tree / "boot/zipl/secure-linux"
    image.rename(image.with_name("secure-linux-6.4.0-1-default"))
    image.symlink_to("secure-linux-6.4.0-1-default")

    assert codes(met(scene).status("guest")) == {}


def test_there_is_no_parmfile_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = make("suse-sealed", tmp_path / "root")

    said = secboot(
        capsys, "plan", "guest", "--root", scene.tree, "--parmfile", tmp_path / "parmfile"
    )

    assert said.code == 1
    assert "builds its Secure Execution image itself" in said.err
    assert not (tmp_path / "parmfile").exists()


def by_hand(root: Path, *, default: bool = True) -> Scene:
    """A guest as in IBM's documentation: GRUB starts the image, from an entry in 40_custom."""
    scene = Scene(make_situation("suse-healthy", root))
    entry = (SAMPLES / "se-guest/ibm-docs-sles-40_custom").read_text()
    text = (root / CFG).read_text()
    chosen = 'set default="Secure execution image"\n' if default else ""
    scene.write(CFG, f"{text}\n### BEGIN /etc/grub.d/40_custom ###\n{entry}\n{chosen}### END ###\n")
    scene.write("boot/secure-linux", sealed_image())
    os.utime(root / "boot/secure-linux", (1, 1))
    for name in ("cmdline", "cpuinfo", "sysinfo"):
        (root / "proc" / name).unlink()
    shutil.rmtree(root / "sys")
    add_system(scene, "z16-se-guest", "root=/dev/mapper/luks swiotlb=262144", "guest")
    return scene


def test_an_image_that_grub_starts_has_its_line_inside(tmp_path: Path) -> None:
    status = by_hand(tmp_path / "root").status("guest", MAPPED)

    assert status.next_ipl.default is not None
    assert status.next_ipl.default.secure
    entry = next(each for each in status.entries if each.default)
    assert entry.name == "Secure execution image"
    assert [r.verdict for r in (*entry.configured, *entry.installed)] == ["not-applicable"] * 2
    assert verdicts(status)[3:] == "++"
    assert set(codes(status)) == {"unsealed-entry", "image-outdated"}
    assert status.origin is not None
    assert status.origin.description == "it is the line inside the Secure Execution image"


def test_an_image_that_grub_could_start_and_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = by_hand(tmp_path / "root", default=False)

    assert codes(scene.status("guest", MAPPED))["unsealed-default"] is Severity.ERROR

    said = secboot(capsys, "plan", "guest", "--root", scene.tree)
    assert "/boot/secure-linux is a Secure Execution image: its parameter line" in said.out
    assert "To stay in Secure Execution" in said.out
    assert "grub2-set-default 'Secure execution image'" in said.out
