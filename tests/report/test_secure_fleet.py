"""A fleet of secure guests in all their states: each is reported as what it is, in every form.

The table is the test: how the machine is made, its five stages, its standing, and its problems.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from secboot.finding import Severity
from secboot.kernel.command_line import BOOTED_OTHERWISE
from secboot.report.made import made
from secboot.report.monitoring import metrics
from secboot.report.status import status_document
from secboot.report.verify import verify_document
from secboot.running.kernel_log import KernelMessages
from secboot.status.checks import make_checks
from secboot.status.stages import Stage, Status
from tests.command import secboot
from tests.layout.test_ostree import SEALED_LINE
from tests.layout.test_suse_image import by_hand, make
from tests.secure_images import build_image
from tests.situations import make_situation
from tests.status.scenes import Scene, add_system, log, make_scene, verdicts
from tests.status.test_secure_guest import MAPPED, MET, UNMET, menu, readable
from tests.trees import plain_kernel, sealed_image

NO_BUFFER = log("software IO TLB: mapped [mem 0x7a5fe000-0x7e5fe000] (64MB)")


def running(scene: Scene, line: str = MET) -> Scene:
    """Make the tree that of a system that runs in Secure Execution with this line."""
    add_system(scene, "z16-se-guest", line, "guest")
    return scene


def situation(name: str, line: str = MET) -> Callable[[Path], Scene]:
    return lambda tree: running(Scene(make_situation(name, tree)), line)


def older_image(tree: Path) -> Scene:
    scene = situation("sealed-only")(tree)
    (tree / "boot/secure-linux").rename(tree / "boot/secure-linux-6.1.0-9")
    scene.replace("etc/zipl.conf", "/boot/secure-linux", "/boot/secure-linux-6.1.0-9")
    scene.write("boot/vmlinuz-6.1.0-21", plain_kernel(2**17, 4096))
    return scene


def without_kernels(tree: Path) -> Scene:
    scene = running(menu(tree, "first"))
    for kernel in ("boot/vmlinuz", "boot/secure"):
        (tree / kernel).unlink()
        (tree / kernel).mkdir()
    return scene


def cut_off(tree: Path) -> Scene:
    scene = situation("sealed-only")(tree)
    scene.write("boot/secure-linux", build_image(b"kernel", b"ramdisk", MET.encode())[:-4096])
    return scene


def first_stage(tree: Path, content: bytes) -> None:
    """Replace zipl's kernel by one of the same size, as if zipl had run with this one."""
    kernel = tree / "boot/zipl/image"
    kernel.write_bytes(content)
    os.utime(kernel, (1, 1))


def suse(tree: Path) -> Scene:
    """Its first stage is the image; the line in effect is that of grub.cfg."""
    scene = make("suse-healthy", tree)
    first_stage(tree, sealed_image((tree / "boot/zipl/image").stat().st_size))
    line = (tree / "proc/cmdline").read_text().strip()
    for name in ("cpuinfo", "sysinfo", "cmdline"):
        (tree / "proc" / name).unlink()
    for name in ("prot_virt_guest", "prot_virt_host"):
        (tree / "sys/firmware/uv" / name).unlink()
    (tree / "sys/firmware/uv").rmdir()
    scene.write("etc/secboot/profiles/apparmor.yaml", SUSE_PROFILE)
    return running(scene, line)


SUSE_PROFILE = "version: 1\nrole: guest\nparameters:\n  security: apparmor\n"


def suse_left(tree: Path) -> Scene:
    """grub2-zipl-setup has made a plain first stage, although an image is configured."""
    scene = suse(tree)
    first_stage(tree, plain_kernel((tree / "boot/zipl/image").stat().st_size, 4096))
    return scene


def pod(tree: Path) -> Scene:
    """QEMU has loaded the image: no configuration, no boot record."""
    scene = running(Scene(tree))
    scene.write("etc/os-release", "ID=ubuntu\n")
    scene.write("sys/firmware/ipl/ipl_type", "unknown\n")
    return scene


def not_encrypted(line: str) -> Callable[[Path], Scene]:
    def make(tree: Path) -> Scene:
        scene = make_scene(tree, "section")
        readable(scene, line)
        return running(scene, line)

    return make


FLEET: dict[str, tuple[Callable[[Path], Scene], str, str, set[str]]] = {
    "right": (situation("sealed-only"), "...++", "met", set()),
    "line-lacks": (situation("sealed-only", UNMET), "...--", "missing", set()),
    "leaves-by-record": (
        lambda tree: running(menu(tree, "first")),
        "-?-++",
        "missing",
        {"unsealed-default", "unsealed-entry"},
    ),
    "leaves-by-files": (
        situation("sealed-then-kernel-update"),
        "++-++",
        "missing",
        {"unsealed-default", "image-outdated"},
    ),
    "can-leave": (
        lambda tree: running(menu(tree, "second")),
        "-.-++",
        "missing",
        {"unsealed-entry"},
    ),
    "outdated": (older_image, "...++", "warning", {"image-outdated"}),
    "no-kernel": (without_kernels, "-?-++", "missing", {"secure-default-unknown"}),
    "cut-off": (cut_off, "...++", "warning", {"image-unclear"}),
    "suse": (suse, "++++.", "met", set()),
    "suse-left": (suse_left, "++++.", "missing", {"unsealed-default", "unsealed-entry"}),
    "suse-by-hand": (by_hand, "-.-++", "missing", {"image-outdated", "unsealed-entry"}),
    "rhcos": (situation("rhcos-sealed", SEALED_LINE), "+++++", "warning", set()),
    "pod": (pod, "...++", "met", set()),
    "pod-vm": (situation("sealed-podvm"), "...++", "met", set()),
    "not-encrypted": (not_encrypted(MET), "..+++", "met", set()),
    "not-encrypted-lacks": (not_encrypted(UNMET), "..---", "missing", set()),
}
WATCHED = {"secure-default-unknown", "image-outdated", "image-unclear"}


def status_of(name: str, tree: Path) -> Status:
    make, stages, _, _ = FLEET[name]
    messages: KernelMessages = NO_BUFFER if stages.endswith("-") else MAPPED
    profile = "apparmor" if name in {"suse", "suse-left"} else "guest"
    return make(tree).status(profile, messages)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Status]:
    return {name: status_of(name, tmp_path_factory.mktemp(name) / "root") for name in FLEET}


def about_secure(status: Status) -> set[str]:
    codes = {notice.code for notice in status.notices}
    return {code for code in codes if code.startswith("unsealed") or code in WATCHED}


@pytest.mark.parametrize("name", FLEET)
def test_a_guest_is_what_it_is(name: str, fleet: dict[str, Status]) -> None:
    _, stages, standing, codes = FLEET[name]
    status = fleet[name]

    assert verdicts(status) == stages
    assert about_secure(status) == codes
    failing = [n for n in status.notices if n.severity is Severity.ERROR]
    assert ("unsealed-default" in codes) == ("unsealed-default" in {n.code for n in failing})
    if standing == "met":
        assert [n.code for n in status.notices if n.severity is not Severity.NOTE] == []
    # No report says that text from outside got into the line of such a guest.
    assert status.origin is not None
    assert "IPL PARM" not in status.origin.description
    causes = {c.code for r in status.requirements for s in r.stages.values() for c in s.causes}
    assert name != "line-lacks" or not causes & BOOTED_OTHERWISE


def test_the_metrics_of_each(fleet: dict[str, Status]) -> None:
    for name, (_, _, _, codes) in FLEET.items():
        status = fleet[name]
        text = metrics("guest", make_checks(status, Stage.EFFECTIVE), Stage.EFFECTIVE, made({}))
        for code in WATCHED | {"unsealed-default", "unsealed-entry"}:
            assert (f'check="machine.{code}"' in text) == (code in codes), (name, code)


@pytest.mark.parametrize("kind", ["status", "verify"])
def test_the_report_of_the_whole_fleet(
    kind: str, fleet: dict[str, Status], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, status in fleet.items():
        checks = make_checks(status, Stage.EFFECTIVE)
        document = (
            status_document(status)
            if kind == "status"
            else verify_document(status, checks, Stage.EFFECTIVE)
        )
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    page = tmp_path / "fleet.html"

    text = secboot(capsys, "fleet", tmp_path, "--html", page)
    data = secboot(capsys, "fleet", tmp_path, "--output", "json")

    assert text.code == data.code == 5
    machines = {each["host"]: each for each in json.loads(data.out)["machines"]}
    assert {name: each["standing"] for name, each in machines.items()} == {
        name: standing for name, (_, _, standing, _) in FLEET.items()
    }
    shown = {line.split(" ")[0] for line in text.out.splitlines()}
    html = page.read_text()
    for name, (_, _, standing, codes) in FLEET.items():
        found = {f["code"] for f in machines[name]["findings"]}
        assert codes <= {code.removeprefix("machine.") for code in found}, name
        assert f'<th scope="row">{name}</th>' in html
        assert name in shown
        if "unsealed-default" in codes:
            told = [
                f["message"] for f in machines[name]["findings"] if "unsealed-default" in f["code"]
            ]
            assert any("a plain kernel image" in message for message in told), name
        assert standing != "met" or not found, name
