"""Guests in Secure Execution, or meant to be there: the verdicts, and whether they stay there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from secboot.finding import Severity
from secboot.status.stages import Stage, Status
from tests.command import Said, act_on_running_system, secboot
from tests.profile.profile_files import IMAGE_PROFILE
from tests.secure_images import build_image
from tests.situations import make_situation
from tests.status.scenes import RECORDED, Scene, add_system, log, make_scene, only, verdicts
from tests.trees import hide_boot_record, plain_kernel, sealed_image, snapshot

MAPPED = log("software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)")
MET = "root=/dev/mapper/luks swiotlb=262144"
UNMET = "root=/dev/mapper/luks quiet"


def codes(status: Status) -> dict[str, Severity]:
    return {notice.code: notice.severity for notice in status.notices}


def situation(name: str, tmp_path: Path, line: str | None = None) -> Scene:
    """The tree of a situation; with a line, that of a system that runs in Secure Execution."""
    scene = Scene(make_situation(name, tmp_path / "root"))
    if line is not None:
        add_system(scene, "z16-se-guest", line, "guest")
    return scene


def test_of_an_image_alone_the_last_two_stages_decide(tmp_path: Path) -> None:
    scene = situation("sealed-only", tmp_path, MET)

    status = scene.status("guest", MAPPED)

    assert verdicts(status) == "...++"
    assert codes(status) == {}
    assert status.origin is not None
    assert status.origin.description == "it is the line inside the Secure Execution image"


@pytest.mark.parametrize("text", ["=swiotlb=262144 evil", "swiotlb=262144"])
def test_ipl_parm_is_never_named_as_the_source_of_an_image_s_line(
    text: str, tmp_path: Path
) -> None:
    scene = situation("sealed-only", tmp_path, f"{UNMET} {text.lstrip('=')}")
    scene.write("sys/firmware/ipl/ipl_type", "ccw\n")
    scene.write("sys/firmware/ipl/parm", f"{text}\n")

    origin = scene.status("guest", MAPPED).origin

    assert origin is not None
    assert "PARM" not in origin.description
    assert "menu" not in origin.description


def running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scene: Scene, *words: str
) -> Said:
    """Run a command with the tree as the running system."""
    act_on_running_system(monkeypatch)
    return secboot(capsys, *words, "--root", scene.tree)


@pytest.mark.parametrize("name", ["sealed-only", "pvics-guest"])
@pytest.mark.parametrize(("line", "code"), [(MET, 0), (UNMET, 1)])
def test_apply_in_the_guest(
    name: str,
    line: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = situation(name, tmp_path, line)
    scene.write("etc/kernel/cmdline", MET)
    hide_boot_record(scene.tree, RECORDED + 100)

    said = running(monkeypatch, capsys, scene, "apply", "guest", "--no-zipl")

    assert said.code == code, said
    if code:
        assert "to rebuild the Secure Execution image" in said.err
    else:
        assert "No changes" in said.out
        assert "rebuild" not in said.out


def test_a_kernel_update_leaves_secure_execution(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = situation("sealed-then-kernel-update", tmp_path, MET)

    status = scene.status("guest", MAPPED)

    assert codes(status) == {
        "unsealed-default": Severity.ERROR,
        "image-outdated": Severity.WARNING,
    }
    assert status.origin is not None
    assert status.origin.description == "it is the line inside the Secure Execution image"
    (default, outdated) = (n for n in status.notices if n.code in codes(status))
    assert "(5.14.0-570.el9.s390x)" in default.message
    assert "/boot/secure-linux" in default.message
    assert (
        "contains 5.14.0-427.el9.s390x (according to the version of its boot entry)"
        in outdated.message
    )
    said = secboot(capsys, "verify", "guest", "--root", scene.tree)
    assert said.code == 5
    assert "FAIL machine.unsealed-default" in said.out


@pytest.mark.parametrize("verb", ["apply", "keep"])
def test_zipl_is_not_run_into_a_record_that_leaves_secure_execution(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = situation("sealed-then-kernel-update", tmp_path)
    scene.write("etc/secboot/profile", "guest\n")
    words = [verb, *(["guest"] if verb == "apply" else []), "--root", str(scene.tree)]
    before = snapshot(scene.tree)

    said = secboot(capsys, *words)

    assert said.code == 1
    assert "the next IPL would leave Secure Execution" in said.err
    assert "secboot apply guest --allow-unsealed" in said.err
    assert snapshot(scene.tree) == before
    assert secboot(capsys, *words, "--allow-unsealed").code == 0


def menu(tree: Path, secure: str) -> Scene:
    """A menu that the real zipl has installed; one entry boots a Secure Execution image."""
    scene = make_scene(tree, "menu")
    scene.write("boot/secure", sealed_image((tree / "boot/vmlinuz").stat().st_size))
    conf = (tree / "etc/zipl.conf").read_text()
    head, name, rest = conf.partition(f"[{secure}]")
    scene.write("etc/zipl.conf", head + name + rest.replace("/boot/vmlinuz", "/boot/secure", 1))
    return scene


@pytest.mark.parametrize(
    ("secure", "default", "found"),
    [
        ("second", 3, {"unsealed-entry"}),
        ("first", 3, {"unsealed-default", "unsealed-entry"}),
        (
            "second",
            7,
            {"unsealed-after-zipl", "unsealed-entry", "boot-record-stale", "record-default"},
        ),
    ],
)
def test_the_record_decides_and_the_files_when_zipl_has_run(
    secure: str, default: int, found: set[str], tmp_path: Path
) -> None:
    scene = menu(tmp_path, secure)
    if default != 3:
        scene.replace("etc/zipl.conf", "default=3", f"default={default}")

    assert set(codes(scene.status("guest"))) == found


def test_if_the_kernel_cannot_be_read_nothing_is_reported_as_secure(tmp_path: Path) -> None:
    scene = menu(tmp_path, "first")
    (scene.tree / "boot/vmlinuz").unlink()
    (scene.tree / "boot/vmlinuz").mkdir()

    found = codes(scene.status("guest"))

    assert found["secure-default-unknown"] is Severity.WARNING
    assert "unsealed-default" not in found


def test_a_plain_guest_is_never_warned_to_stay_in_secure_execution(tmp_path: Path) -> None:
    assert codes(make_scene(tmp_path, "menu").status("guest")) == {}


def readable(scene: Scene, line: str) -> None:
    """Replace the kernel by an image of the same size that is not encrypted."""
    kernel = scene.tree / "boot/vmlinuz"
    size = kernel.stat().st_size
    image = build_image(kernel_stub(4096)[:4096], b"ramdisk", line.encode(), encrypted=False)
    scene.write("boot/vmlinuz", image.ljust(size, b"\0")[:size])


@pytest.mark.parametrize(("line", "found"), [(MET, "met"), (UNMET, "missing")])
def test_the_line_of_an_image_that_is_not_encrypted_is_judged(
    line: str, found: str, tmp_path: Path
) -> None:
    scene = make_scene(tmp_path, "section")
    readable(scene, line)

    status = scene.status("guest")

    installed = only(status).stages[Stage.INSTALLED]
    assert installed.verdict == found
    assert [each.code for each in installed.causes] == (["image-line"] if line == UNMET else [])
    assert status.next_ipl.default is not None
    assert status.next_ipl.default.line == line


@pytest.mark.parametrize(
    ("named", "kernels", "words"),
    [
        (
            "secure-linux-6.1.0-9",
            ["6.1.0-21"],
            "secure-linux-6.1.0-9 contains 6.1.0-9 (according to its name)",
        ),
        ("secure-linux-6.1.0-21", ["6.1.0-21", "6.1.0-9"], ""),
        ("secure-linux", ["6.1.0-21"], "is older than that file"),
        ("secure-linux", [], ""),
    ],
)
def test_an_image_of_an_older_kernel(
    named: str, kernels: list[str], words: str, tmp_path: Path
) -> None:
    scene = situation("sealed-only", tmp_path)
    (scene.tree / "boot/secure-linux").rename(scene.tree / f"boot/{named}")
    scene.replace("etc/zipl.conf", "/boot/secure-linux", f"/boot/{named}")
    for release in kernels:
        kernel = scene.tree / f"boot/vmlinuz-{release}"
        kernel.write_bytes(plain_kernel(2**17, 4096))
        os.utime(kernel, (RECORDED, RECORDED))

    found = [n.message for n in scene.status("guest").notices if n.code == "image-outdated"]

    assert len(found) == bool(words)
    assert all(words in message for message in found)


@pytest.mark.parametrize(
    ("built", "severity", "words"),
    [
        (-1, Severity.WARNING, ": rebuild the image"),
        (0, Severity.WARNING, ": rebuild the image"),
        (1, Severity.NOTE, "it is unknown which of the two it contains"),
    ],
)
def test_an_image_that_was_rebuilt_keeps_the_version_of_its_entry(
    built: int, severity: Severity, words: str, tmp_path: Path
) -> None:
    """The ramdisk is made when the kernel is installed; the kernel has the time of its package."""
    scene = situation("sealed-then-kernel-update", tmp_path)
    boot = scene.tree / "boot"
    os.utime(boot / "initramfs-5.14.0-570.el9.s390x.img", (RECORDED, RECORDED))
    os.utime(boot / "secure-linux", (RECORDED + built, RECORDED + built))

    (found,) = (n for n in scene.status("guest").notices if n.code == "image-outdated")

    assert found.severity is severity
    assert found.message.endswith(words)


def test_the_way_back_inside_after_a_kernel_update(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = situation("sealed-then-kernel-update", tmp_path)
    site = IMAGE_PROFILE.replace("secure-linux", "secure-linux-570")
    scene.write("etc/secboot/profiles/site.yaml", site)
    tree = scene.tree

    plan = secboot(capsys, "plan", "site", "--root", tree)
    assert "until the image is the default" in plan.out
    assert secboot(capsys, "apply", "site", "--root", tree).code == 0
    parmfile = tree / "etc/secboot/guest.parm"
    assert parmfile.read_text() == MET + "\n"
    assert secboot(capsys, "apply", "site", "--root", tree).code == 1

    kernel, ramdisk = (
        (tree / f"boot/{name}").read_bytes()
        for name in ("vmlinuz-5.14.0-570.el9.s390x", "initramfs-5.14.0-570.el9.s390x.img")
    )
    image = build_image(kernel, ramdisk, parmfile.read_bytes())
    (tree / "boot/secure-linux-570").write_bytes(image)
    assert secboot(capsys, "apply", "site", "--root", tree).code == 0

    assert "unsealed-default" not in codes(scene.status("site"))
    checked = secboot(capsys, "verify", "site", "--root", tree)
    assert "unsealed-default" not in checked.out


def test_zipl_is_not_suggested_if_it_leaves_secure_execution(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = situation("sealed-then-kernel-update", tmp_path)

    show = secboot(capsys, "show", "--root", scene.tree).out
    status = secboot(capsys, "status", "guest", "--root", scene.tree).out

    assert "a plain kernel image; 'Red Hat Enterprise Linux (secured)'" in show
    assert "chroot" not in show
    assert "chroot" not in status
