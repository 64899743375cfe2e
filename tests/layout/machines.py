"""Machines of every layout, and how the rules of each distribution install a kernel on them.

Boot files come from the samples. An installation is a function of the tree, the new version, and
the command line of the running system (/proc/cmdline). It does what the distribution's program
does; its docstring names the source. All of them end where zipl would run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secboot.demo import kernel_stub
from tests.trees import MACHINE_ID, SAMPLE_TREES, SAMPLES, add_debian_hook, add_images

Install = Callable[[Path, str, str], None]

RHEL8 = 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.1"\n'
RHEL9 = 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n'
RHEL7 = 'NAME="Red Hat Enterprise Linux Server"\nID="rhel"\nVERSION_ID="7.9"\n'
UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
DEBIAN = 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.0\n'
RHEL8_DISKS = " ".join(
    re.findall(
        r"rd\.(?:zfcp|znet)=\S+",
        (SAMPLES / "rhel8" / f"{MACHINE_ID}-4.18.0-147.el8.s390x.conf").read_text(),
    )
)
"""The words in the entries that find the disks."""
RHEL7_ZIPL_CONF = """\
[defaultboot]
defaultauto
prompt=1
timeout=5
default=3.10.0-1160.el7.s390x
target=/boot
[3.10.0-1160.el7.s390x]
\timage=/boot/vmlinuz-3.10.0-1160.el7.s390x
\tparameters="root=/dev/mapper/rhel-root rd.dasd=0.0.0120 crashkernel=auto"
\tramdisk=/boot/initramfs-3.10.0-1160.el7.s390x.img
"""


@dataclass(frozen=True)
class System:
    """A machine: its files, and how a kernel is installed on it.

    `files` are texts, or names of sample files with a leading ``@``.
    """

    layout: str
    files: dict[str, str]
    install: Install

    def make(self, root: Path) -> Path:
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("@"):
                shutil.copyfile(SAMPLES / text[1:], target)
            else:
                target.write_text(text)
        add_images(root)
        if self.install is moved_links:
            self.install(root, "6.1.0-9", "")
            add_debian_hook(root)
        return root


def red_hat(root: Path, version: str, running: str) -> None:
    """s390utils, 20-zipl-kernel.install: the words of /etc/kernel/cmdline, else of /proc/cmdline."""
    file = root / "etc/kernel/cmdline"
    words = file.read_text().split() if file.exists() else []
    if not words:
        words = [w for w in running.split() if not w.startswith(("initrd=", "BOOT_IMAGE="))]
    assert words, "the script gives up here"
    (root / f"boot/vmlinuz-{version}").write_bytes(kernel_stub(4096))
    (root / f"boot/initramfs-{version}.img").write_bytes(b"initramfs")
    (root / f"boot/loader/entries/{MACHINE_ID}-{version}.conf").write_text(
        f"title Red Hat Enterprise Linux ({version}) 9.4 (Plow)\n"
        f"version {version}\n"
        f"linux /boot/vmlinuz-{version}\n"
        f"initrd /boot/initramfs-{version}.img\n"
        f"options {' '.join(words)}\n"
        f"id rhel-20240501-{version}\n"
        "grub_users $grub_users\n"
        "grub_arg --unrestricted\n"
        "grub_class kernel\n"
    )


def new_kernel_pkg(root: Path, version: str, _running: str) -> None:
    """RHEL 7: grubby --copy-default puts a copy of the default section first, and makes it default."""
    conf = root / "etc/zipl.conf"
    text = conf.read_text()
    default = re.search(r"^default=(\S+)$", text, re.MULTILINE)
    assert default is not None
    section = re.search(rf"^\[{re.escape(default[1])}\]\n(?:\t.*\n)+", text, re.MULTILINE)
    assert section is not None
    copy = section[0].replace(default[1], version)
    text = text.replace(section[0], copy + section[0]).replace(default[0], f"default={version}")
    conf.write_text(text)
    (root / f"boot/vmlinuz-{version}").write_bytes(kernel_stub(4096))
    (root / f"boot/initramfs-{version}.img").write_bytes(b"initramfs")


def moved_links(root: Path, version: str, _running: str) -> None:
    """Debian and Ubuntu, linux-update-symlinks: the names in zipl.conf point to the new kernel."""
    for name, data in (("vmlinuz", kernel_stub(4096)), ("initrd.img", b"initrd")):
        (root / f"boot/{name}-{version}").write_bytes(data)
        link = root / "boot" / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"{name}-{version}")


def same_name(root: Path, _version: str, _running: str) -> None:
    """Alpine: the kernel has the same name in every version of its package."""
    image = next(path for path in (root / "boot").iterdir() if path.name.startswith("vmlinuz"))
    image.write_bytes(kernel_stub(1048576))


def _tree(name: str, os_release: str, **more: str) -> dict[str, str]:
    files = {path: f"@{sample}" for path, sample in SAMPLE_TREES[name].items()}
    return (
        files | {"etc/os-release": os_release} | {k.replace("__", "/"): v for k, v in more.items()}
    )


SYSTEMS = {
    "rhel7": System(
        "rhel7", {"etc/os-release": RHEL7, "etc/zipl.conf": RHEL7_ZIPL_CONF}, new_kernel_pkg
    ),
    "rhel8": System(
        "bls",
        _tree("rhel8", RHEL8, etc__kernel__cmdline=f"root=/dev/a ro {RHEL8_DISKS}\n"),
        red_hat,
    ),
    "rhel9": System("bls", _tree("rhel9", RHEL9), red_hat),
    "rhel9-without-cmdline": System(
        "bls",
        {k: v for k, v in _tree("rhel9", RHEL9).items() if k != "etc/kernel/cmdline"},
        red_hat,
    ),
    "ubuntu-curtin": System("debian", _tree("ubuntu-curtin", UBUNTU), moved_links),
    "ubuntu-installer": System("debian", _tree("ubuntu-installer", UBUNTU), moved_links),
    "debian-installer": System("debian", _tree("debian-installer", DEBIAN), moved_links),
    "alpine": System("alpine", _tree("alpine", ALPINE), same_name),
}
