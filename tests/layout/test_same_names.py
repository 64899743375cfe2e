"""Sections whose file names refer to the kernel that is installed next, and those that do not."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest

from secboot.demo import kernel_stub
from secboot.zipl.order import debian_version_key
from tests.command import secboot
from tests.packaging.programs import require, run
from tests.situations import make_situation
from tests.trees import add_debian_hook, sealed_image

DEBIAN = "ID=debian\n"
ALPINE = "ID=alpine\n"
OLD, NEW = "6.1.0-9-s390x", "6.1.0-10-s390x"
CONF = """\
[defaultboot]
default=linux
[linux]
target=/boot
image={image}
ramdisk={ramdisk}
parameters="root=/dev/dasda1 prot_virt=1"
"""


@dataclass(frozen=True)
class Tree:
    """A machine with one section; `links` maps names of links to their targets."""

    image: str = "/boot/vmlinuz"
    ramdisk: str = "/boot/initrd.img"
    kernels: tuple[str, ...] = (OLD,)
    links: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    os_release: str = DEBIAN
    hook: bool = True
    hook_mode: int = 0o755
    more: str = ""
    conf: str = "etc/zipl.conf"

    def make(self, root: Path) -> Path:
        (root / "etc").mkdir(parents=True)
        (root / "boot").mkdir()
        (root / "etc/os-release").write_text(self.os_release)
        if self.hook and self.os_release == DEBIAN:
            add_debian_hook(root, self.hook_mode)
        conf = CONF.format(image=self.image, ramdisk=self.ramdisk) + self.more
        (root / self.conf).parent.mkdir(parents=True, exist_ok=True)
        (root / self.conf).write_text(conf)
        for release in self.kernels:
            (root / f"boot/vmlinuz-{release}").write_bytes(kernel_stub(4096))
            (root / f"boot/initrd.img-{release}").write_bytes(b"initrd")
        for name in self.files:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(kernel_stub(4096))
        for name, says in self.links.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(says)
        return root


def links(release: str, other: str | None = None) -> dict[str, str]:
    return {
        "boot/vmlinuz": f"vmlinuz-{release}",
        "boot/initrd.img": f"initrd.img-{other or release}",
    }


# name, tree, verdict of the stage, words in its reason
CASES: dict[str, tuple[Tree, str, str]] = {
    "links-to-the-only-kernel": (Tree(links=links(OLD)), "met", "through the same names"),
    "links-to-the-newest": (Tree(kernels=(OLD, NEW), links=links(NEW)), "met", "same names"),
    "absolute-links": (
        Tree(
            links={
                "boot/vmlinuz": f"/boot/vmlinuz-{OLD}",
                "boot/initrd.img": f"/boot/initrd.img-{OLD}",
            }
        ),
        "met",
        "same names",
    ),
    "links-from-the-root": (
        Tree(
            image="/vmlinuz",
            ramdisk="/initrd.img",
            links={"vmlinuz": f"boot/vmlinuz-{OLD}", "initrd.img": f"boot/initrd.img-{OLD}"},
        ),
        "met",
        "same names",
    ),
    "links-to-an-old-kernel": (
        Tree(kernels=(OLD, NEW), links=links(OLD)),
        "missing",
        f"still points to /boot/vmlinuz-{OLD}, although kernel {NEW} is installed",
    ),
    "links-from-the-root-to-an-old-kernel": (
        Tree(
            image="/vmlinuz",
            ramdisk="/initrd.img",
            kernels=(OLD, NEW),
            links={"vmlinuz": f"boot/vmlinuz-{OLD}", "initrd.img": f"boot/initrd.img-{OLD}"},
        ),
        "missing",
        f"although kernel {NEW} is installed",
    ),
    "ten-is-more-than-nine": (
        Tree(kernels=("5.4.0-90-generic", "5.4.0-1026-fips"), links=links("5.4.0-90-generic")),
        "missing",
        "although kernel 5.4.0-1026-fips is installed",
    ),
    "a-name-with-a-release": (
        Tree(image=f"/boot/vmlinuz-{OLD}", ramdisk=f"/boot/initrd.img-{OLD}"),
        "missing",
        "zipl fails after the package of this one is removed",
    ),
    "a-ramdisk-with-a-release": (
        Tree(ramdisk=f"/boot/initrd.img-{OLD}", links=links(OLD)),
        "missing",
        f"/boot/initrd.img-{OLD} names a specific kernel",
    ),
    "a-ramdisk-of-another-kernel": (
        Tree(kernels=(OLD, NEW), links=links(NEW, OLD)),
        "missing",
        "the ramdisk of another kernel",
    ),
    "a-directory": (
        Tree(files=("boot/vmlinuz/a",)),
        "unknown",
        "/boot/vmlinuz is a directory, so zipl refuses it",
    ),
    "a-link-to-a-directory": (
        Tree(links={"boot/vmlinuz": "."}),
        "unknown",
        "the link /boot/vmlinuz points to /boot, which is a directory, so zipl refuses it",
    ),
    "no-link": (Tree(files=("boot/vmlinuz", "boot/initrd.img")), "unknown", "is not a link"),
    "no-file-yet": (Tree(kernels=()), "unknown", "/boot/vmlinuz does not exist"),
    "a-link-out-of-the-tree": (
        Tree(links={"boot/vmlinuz": "../../../outside/vmlinuz-9.9", "boot/initrd.img": "x"}),
        "unknown",
        "points to ../../../outside/vmlinuz-9.9, which is not in this tree",
    ),
    "a-link-to-itself": (
        Tree(links={"boot/vmlinuz": "vmlinuz"}),
        "unknown",
        "the link /boot/vmlinuz points to vmlinuz, too many symbolic links",
    ),
    "a-link-to-a-name-without-a-release": (
        Tree(links={"boot/vmlinuz": "my-kernel"}, files=("boot/my-kernel",)),
        "unknown",
        "points to /boot/my-kernel, whose name has no release",
    ),
    "copies-and-rescue-kernels-are-none": (
        Tree(
            links=links(OLD),
            files=(
                f"boot/vmlinuz-{OLD}.efi.signed",
                f"boot/vmlinuz-{NEW}.old",
                f"boot/vmlinuz-{NEW}.dpkg-new",
                f"boot/vmlinuz-{NEW}~",
                "boot/vmlinuz-2024-backup",
                "boot/vmlinuz-9",
                "boot/vmlinuz-99-rescue",
                "boot/vmlinuz-0-rescue-0123456789abcdef0123456789abcdef",
                "boot/config-9.9.9",
                "boot/System.map-9.9.9",
            ),
        ),
        "met",
        "same names",
    ),
    "nothing-that-runs-zipl": (
        Tree(links=links(OLD), hook=False),
        "unknown",
        "but /etc/kernel/postinst.d/zz-zipl, which runs zipl for a new kernel, does not exist",
    ),
    "a-hook-that-run-parts-skips": (
        Tree(links=links(OLD), hook_mode=0o644),
        "unknown",
        "but /etc/kernel/postinst.d/zz-zipl, which runs zipl for a new kernel, is not executable",
    ),
    "nothing-that-runs-zipl-for-an-old-kernel": (
        Tree(kernels=(OLD, NEW), links=links(OLD), hook=False),
        "missing",
        f"although kernel {NEW} is installed",
    ),
    "a-configuration-until-the-next-boot": (
        Tree(links=links(OLD), conf="run/zipl/zipl.conf"),
        "unknown",
        "but /run/zipl/zipl.conf does not outlast a reboot",
    ),
    "a-kernel-with-a-section-of-its-own": (
        Tree(
            kernels=(OLD, NEW),
            links=links(OLD),
            more=f"[own]\ntarget=/boot\nimage=/boot/vmlinuz-{NEW}\n",
        ),
        "met",
        "same names",
    ),
    "alpine-has-one-name": (
        Tree(
            image="/boot/vmlinuz-lts",
            ramdisk="/boot/initramfs-lts",
            files=("boot/vmlinuz-lts", "boot/initramfs-lts"),
            os_release=ALPINE,
        ),
        "met",
        "same names",
    ),
    "alpine-with-a-release": (
        Tree(image=f"/boot/vmlinuz-{OLD}", os_release=ALPINE),
        "missing",
        "names a specific kernel",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_new_kernel_is_booted_through_the_same_names_or_is_not(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, verdict, words = CASES[name]
    root = tree.make(tmp_path / "root")

    plan = json.loads(secboot(capsys, "plan", "host", "--root", root, "-o", "json").out)
    status = json.loads(secboot(capsys, "status", "host", "--root", root, "-o", "json").out)

    stage = status["requirements"][0]["stages"]["inherited"]
    assert stage["verdict"] == verdict
    assert words in stage["reason"]
    if words.endswith("zipl refuses it"):
        assert "stores" not in plan
        return
    (store,) = plan["stores"]
    assert store["met"] == {"met": True, "missing": False, "unknown": None}[verdict]
    assert words in store["note"]


# name, tree, commands that update the links of the section
MOVES: dict[str, tuple[Tree, tuple[str, ...]]] = {
    "both-links": (
        Tree(kernels=(OLD, NEW), links=links(OLD)),
        (
            f"ln -sfn vmlinuz-{NEW} /boot/vmlinuz",
            f"ln -sfn initrd.img-{NEW} /boot/initrd.img",
            "zipl",
        ),
    ),
    "links-from-the-root": (
        Tree(
            image="/vmlinuz",
            ramdisk="/initrd.img",
            kernels=(OLD, NEW),
            links={"vmlinuz": f"boot/vmlinuz-{OLD}", "initrd.img": f"boot/initrd.img-{OLD}"},
        ),
        (
            f"ln -sfn boot/vmlinuz-{NEW} /vmlinuz",
            f"ln -sfn boot/initrd.img-{NEW} /initrd.img",
            "zipl",
        ),
    ),
    "the-ramdisk-alone": (
        Tree(kernels=(OLD, NEW), links=links(NEW, OLD)),
        (f"ln -sfn initrd.img-{NEW} /boot/initrd.img", "zipl"),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_link_is_moved_by_what_can_be_typed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, programs = MOVES[name]
    root = tree.make(tmp_path / "root")

    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited")

    typed = " && ".join(programs)
    assert f"future kernels would not get it: chroot {root} sh -c '{typed}'" in said.out
    for words in map(str.split, programs[:-1]):
        run("ln", "-sfn", words[2], f"{root}{words[3]}")
    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited")
    assert "PASS inherited.prot_virt" in said.out


@pytest.mark.parametrize("gone", [f"initrd.img-{NEW}", f"vmlinuz-{NEW}.old"])
def test_no_link_is_moved_to_what_is_not_there(
    gone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Tree(kernels=(OLD, NEW), links=links(OLD)).make(tmp_path / "root")
    (root / f"boot/vmlinuz-{NEW}.old").touch()
    (root / "boot" / gone).unlink()

    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited").out

    assert ("ln -sfn" in said) is gone.startswith("vmlinuz")
    assert ("make /boot/vmlinuz and its ramdisk point to kernel" in said) is ("initrd" in gone)


def test_a_bls_entry_has_no_image_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Tree().make(tmp_path / "root")
    (root / "etc/zipl.conf").write_text("[defaultboot]\ndefaultauto\ntarget=/boot\n")
    entry = "boot/loader/entries/by-hand.conf"
    (root / entry).parent.mkdir(parents=True)
    (root / entry).write_text(
        f"title by hand\nlinux /boot/vmlinuz-{OLD}\ninitrd /boot/initrd.img-{OLD}\n"
        "options root=/dev/dasda1 prot_virt=1\n"
    )

    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited").out

    assert f"use links in linux and initrd in /{entry} that follow" in said
    assert "image=" not in said


@pytest.mark.parametrize("layout", ["debian", "alpine", "zipl.conf", "bls", "suse"])
def test_in_no_layout_is_a_kernel_s_own_name_one_that_moves(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If it is unknown what a new kernel gets, the verdict is unknown, and never a pass.

    On RHEL 7 such names are normal, since grubby copies the section.
    """
    root = make_situation("versioned-image", tmp_path / "root")
    secboot(capsys, "apply", "host", "--root", root)

    said = secboot(
        capsys,
        *("verify", "host", "--root", root, "--layout", layout, "--stage", "inherited"),
        *("--output", "json"),
    )

    outcomes = {check["id"]: check["outcome"] for check in json.loads(said.out)["checks"]}
    known = layout in {"debian", "alpine"}
    assert outcomes["inherited.prot_virt"] == ("FAIL" if known else "WARN")


def test_an_image_that_names_one_kernel_is_not_inherited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("versioned-image", tmp_path / "root")
    assert secboot(capsys, "apply", "host", "--root", root).code == 0

    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited")

    assert said.code == 5
    assert "not get it: use links in image= and ramdisk= that follow new kernels" in said.out
    assert (
        "FAIL inherited.prot_virt: /boot/vmlinuz-4.4.0-22-generic names a specific kernel"
        in said.out
    )


def test_a_sealed_image_has_to_be_rebuilt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("sealed-podvm", tmp_path / "root")

    plan = secboot(capsys, "plan", "guest", "--root", root).out
    verify = secboot(capsys, "verify", "guest", "--root", root, "--stage", "inherited").out

    words = (
        "a new kernel is only booted after the Secure Execution image /boot-se/se.img is rebuilt"
    )
    assert words in plan
    assert "inherited.swiotlb" not in verify


def test_a_link_to_a_sealed_image_is_one_to_be_rebuilt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Tree(links={"boot/vmlinuz": "secure"}).make(tmp_path / "root")
    (root / "boot/secure").write_bytes(sealed_image())

    assert (
        "the Secure Execution image /boot/vmlinuz is rebuilt"
        in secboot(capsys, "plan", "host", "--root", root).out
    )


def test_show_says_where_links_lead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(links=links(OLD) | {"boot/initrd.img": "../gone"})
    root = tree.make(tmp_path / "root")

    text = secboot(capsys, "show", "--root", root).out
    (entry,) = json.loads(secboot(capsys, "show", "--root", root, "-o", "json").out)["entries"]

    assert f"image       /boot/vmlinuz -> /boot/vmlinuz-{OLD}\n" in text
    assert "ramdisk     /boot/initrd.img -> ../gone, which is not in this tree\n" in text
    assert entry["image_link"] == {
        "says": f"vmlinuz-{OLD}",
        "target": f"/boot/vmlinuz-{OLD}",
        "reason": "",
    }
    assert entry["ramdisk_link"]["target"] is None


def test_ten_thousand_kernels_take_little_longer_than_a_thousand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Tree(kernels=(), links=links("6.1.9-1-s390x")).make(tmp_path / "root")
    taken = []
    made = 0
    for count in (1_000, 10_000):
        for number in range(made, count):
            (root / f"boot/vmlinuz-6.1.{number}-1-s390x").touch()
        made = count
        start = process_time()
        said = secboot(capsys, "plan", "host", "--root", root).out
        taken.append(process_time() - start)
        assert f"although kernel 6.1.{count - 1}-1-s390x is installed" in said

    assert taken[1] < 1 + 20 * taken[0]


ASCENDING = [
    ["~rc1", "", "1", "a", "+"],
    ["6.1.0-9-s390x", "6.1.0-10-s390x", "6.1.0-0.deb13.1-s390x".replace("6.1.0", "6.1.1")],
    ["6.12~rc4-s390x", "6.12-rc4-s390x", "6.12.3-s390x", "6.12.38+deb13-s390x"],
    ["5.4.0-90-generic", "5.4.0-1026-fips", "5.15.0-25-generic"],
]


@pytest.mark.parametrize("row", ASCENDING, ids=lambda row: row[-1])
def test_releases_sort_as_dpkg_sorts_versions(row: list[str]) -> None:
    keys = [debian_version_key(version) for version in row]

    assert all(one < other for one, other in pairwise(keys))


def test_releases_compare_as_the_dpkg_program_says() -> None:
    dpkg = require("dpkg")
    chosen = random.Random(20261125)  # noqa: S311 - cases for a test
    parts = ["0", "1", "01", "10", "90", "a", "rc", "deb", ".", "~", "+", "-"]
    for _ in range(300):
        pair = ["1" + "".join(chosen.choices(parts, k=chosen.randrange(6))) + "1" for _ in range(2)]
        one, other = map(debian_version_key, pair)
        relation = "lt" if one < other else "gt" if one > other else "eq"
        assert run(dpkg, "--compare-versions", pair[0], relation, pair[1]).returncode == 0, pair
