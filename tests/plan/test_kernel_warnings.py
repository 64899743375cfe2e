"""Kernels that do not support what a profile requires: the image decides before the release number."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.layout.detect import detect_layout
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.running.system import LiveFacts
from secboot.system.root import Root
from tests.status.scenes import Scene

NONE = b""
OLD_CODE = b"\0mem\0vmalloc\0noexec\0nokaslr\0"
NEW_CODE = OLD_CODE + b"\0prot_virt\0"
"""The names in the boot code of Debian's 6.1, and in that of a kernel before 5.7."""


def image(code: bytes, release: bytes = b"") -> bytes:
    """A kernel image of the old form, with the release in its header unless it is empty."""
    content = bytearray(0x12000)
    content[0x10008:0x1000E] = b"S390EP"
    if release:
        content[0x10428:0x10430] = (0x11000).to_bytes(8, "big")
        content[0x11000 : 0x11000 + len(release)] = release
    content[0x11100 : 0x11100 + len(code)] = code
    return bytes(content)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def warnings(
    scene: Scene, name: str, content: bytes, profile: str = "host", running: str | None = None
) -> list[str]:
    scene.write("etc/os-release", "ID=debian\n")
    scene.write(
        "etc/zipl.conf",
        f"[defaultboot]\ndefault=x\n[x]\ntarget=/boot\nimage=/boot/{name}\nparameters=quiet\n",
    )
    if not (scene.tree / f"boot/{name}").is_symlink():
        scene.write(f"boot/{name}", content)
    with Root(scene.tree) as root:
        loaded, layout = read_profile(profile, root), detect_layout(root)
    live = None if running is None else LiveFacts(hosting_kernel=running)
    made = make_plan(loaded, scene.machine(), layout, with_zipl=False, live=live)
    return [each.message for each in made.warnings if each.code == "kernel-too-old"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("vmlinuz-5.4.0-42-generic", image(NONE), "5.4.0-42-generic, may not support prot_virt"),
        (
            "vmlinuz-5.4.0-42-generic",
            image(OLD_CODE),
            "5.4.0-42-generic, does not support prot_virt",
        ),
        ("vmlinuz-5.4.0-42-generic", image(NEW_CODE), None),
        ("vmlinuz-5.4.0-42-generic", b"no kernel", "may not support"),
        ("vmlinuz-4.18.0-240.el8.s390x", image(NONE), "may not support"),
        ("vmlinuz-4.18.0-372.9.1.el8.s390x", image(NONE), None),
        ("vmlinuz-4.18.0-553.el8_10.s390x", image(OLD_CODE), "does not support"),
        ("image-5.3.18-22-default", image(NONE), None),
        ("vmlinuz-5.7.0", image(OLD_CODE), None),
        ("vmlinuz", image(OLD_CODE, b"5.4.0-42-generic (root@x) #1\0"), "5.4.0-42-generic, does"),
        ("vmlinuz", image(OLD_CODE, b"5.10.0 (root@x) #1\0"), None),
        ("vmlinuz", image(OLD_CODE, b"5.4\xff\x1b\0"), None),
        ("vmlinuz", image(OLD_CODE), None),
        # The header decides, whatever the name of the file.
        ("vmlinuz-5.4.0", image(OLD_CODE, b"5.10.0\0"), None),
    ],
)
def test_what_is_known_about_the_kernel(
    scene: Scene, name: str, content: bytes, said: str | None
) -> None:
    found = warnings(scene, name, content)

    assert len(found) == (0 if said is None else 1)
    assert said is None or said in found[0]


def test_a_link_is_judged_by_its_target(scene: Scene) -> None:
    scene.write("boot/vmlinuz-5.4.0-42-generic", image(NONE))
    (scene.tree / "boot/vmlinuz").symlink_to("vmlinuz-5.4.0-42-generic")

    assert len(warnings(scene, "vmlinuz", b"")) == 1


@pytest.mark.parametrize("profile", ["host-off", "guest"])
def test_a_profile_without_hosting_needs_no_kernel_for_it(scene: Scene, profile: str) -> None:
    assert warnings(scene, "vmlinuz-5.4.0-42-generic", image(OLD_CODE), profile) == []


@pytest.mark.parametrize(("running", "count"), [("5.4.0-42-generic", 0), ("5.4.0-26-generic", 1)])
def test_a_running_kernel_that_shows_support_is_not_warned_about(
    scene: Scene, running: str, count: int
) -> None:
    found = warnings(scene, "vmlinuz-5.4.0-42-generic", image(NONE), running=running)

    assert len(found) == count
