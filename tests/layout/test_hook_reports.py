"""What the hooks report of a guest in Secure Execution: on the terminal, and in a real journal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secboot.cli.keep import MESSAGE_ID
from tests.available import unavailable
from tests.checkpoint.test_log import JOURNALD
from tests.layout.test_hooks import CHECKOUT, HOOKS, write
from tests.packaging.programs import require
from tests.situations import make_situation
from tests.trees import MACHINE_ID

NEW = "5.14.0-570.el9.s390x"
DEBIAN_CONF = """\
[defaultboot]
default=secure
[secure]
target=/boot
image=/boot/secure-linux
[debian]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd.img
parameters=root=/dev/dasda1
"""
IN_A_JOURNAL = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
for name in etc boot var; do mount --bind $ROOT/$name /$name; done
$JOURNALD & journald=$!
trap 'kill $journald' EXIT
while [ ! -S /run/systemd/journal/socket ]; do sleep 0.05; done
"$@"
journalctl --sync
journalctl --directory /run/log/journal --output json MESSAGE_ID=$MESSAGE_ID
"""

pytestmark = pytest.mark.usefixtures("as_root")


def on_the_running_system(
    root: Path, tmp_path: Path, *command: str | Path, message_id: str = MESSAGE_ID
) -> tuple[str, list[dict[str, Any]]]:
    """Run a command with /etc, /boot and /var of a tree; return what it says, and the journal's entries."""
    if not Path(JOURNALD).exists():
        unavailable("systemd-journald is not installed")
    write(
        tmp_path / "bin/secboot",
        f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec "{sys.executable}" -m secboot "$@"\n',
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_A_JOURNAL, "sh", *command],
        env=os.environ
        | {
            "PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ROOT": str(root),
            "JOURNALD": JOURNALD,
            "MESSAGE_ID": message_id,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    said = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    return "\n".join([*said, done.stderr]), entries


@pytest.fixture
def red_hat(tmp_path: Path) -> Path:
    """A guest whose default stays its Secure Execution image when a kernel is installed."""
    root = make_situation("sealed-then-kernel-update", tmp_path / "red-hat")
    (root / "var").mkdir()
    return root


@pytest.fixture
def debian(tmp_path: Path, red_hat: Path) -> Path:
    """The same on Debian, with sections."""
    root = tmp_path / "debian"
    for name in ("etc", "var"):
        (root / name).mkdir(parents=True)
    shutil.copytree(red_hat / "boot", root / "boot")
    shutil.rmtree(root / "boot/loader")
    (root / "etc/os-release").write_text("ID=debian\n")
    (root / "etc/zipl.conf").write_text(DEBIAN_CONF)
    os.utime(root / "boot/secure-linux", (1_600_000_000, 1_600_000_000))
    (root / "boot/vmlinuz").symlink_to(f"vmlinuz-{NEW}")
    (root / "boot/initrd.img").symlink_to(f"initramfs-{NEW}.img")
    write(root / "etc/kernel/postinst.d/zy-secboot", (HOOKS / "debian/zy-secboot").read_text())
    return root


@pytest.mark.parametrize("active", [False, True])
def test_an_outdated_image_on_debian(active: bool, tmp_path: Path, debian: Path) -> None:
    if active:
        write(debian / "etc/secboot/profile", "guest\n")

    said, entries = on_the_running_system(
        debian, tmp_path, "run-parts", "--report", f"--arg={NEW}", "/etc/kernel/postinst.d"
    )

    assert said.startswith("/etc/kernel/postinst.d/zy-secboot:\n")
    (warning,) = (line for line in said.splitlines() if "rebuild the image" in line)
    assert f"warning: kernel {NEW} is installed, but /boot/secure-linux is older" in warning
    (logged,) = entries
    assert logged["MESSAGE"] in warning
    assert logged["SECBOOT_CODE"] == "image-outdated"
    assert logged["SECBOOT_FILE"] == "/etc/zipl.conf"
    assert logged["PRIORITY"] == "4"


def kernel_install(root: Path, tmp_path: Path) -> tuple[str, list[dict[str, Any]]]:
    settings = (
        *("BOOT_ROOT=/boot", f"MACHINE_ID={MACHINE_ID}", "KERNEL_INSTALL_CONF_ROOT=/etc/kernel"),
        f"KERNEL_INSTALL_PLUGINS={HOOKS}/kernel-install/90-secboot.install",
    )
    program = require("kernel-install")
    return on_the_running_system(
        root, tmp_path, "env", *settings, program, "add", NEW, f"/boot/vmlinuz-{NEW}"
    )


def test_an_outdated_image_on_red_hat(tmp_path: Path, red_hat: Path) -> None:
    said, entries = kernel_install(red_hat, tmp_path)

    assert [each["SECBOOT_CODE"] for each in entries] == ["unsealed-default", "image-outdated"]
    assert [each["PRIORITY"] for each in entries] == ["3", "4"]
    for each in entries:
        assert f"{each['SECBOOT_FILE']}:1:1: " in said
        assert f": {each['MESSAGE']}\n" in said


def test_a_refusal_is_in_the_journal(tmp_path: Path, red_hat: Path) -> None:
    write(red_hat / "etc/secboot/profile", "guest\n")

    said, (entry, *others) = kernel_install(red_hat, tmp_path)

    assert f"error: {entry['MESSAGE'].removeprefix('keep: ')}\n" in said
    assert "the next IPL would leave Secure Execution" in entry["MESSAGE"]
    assert entry["PRIORITY"] == "3"
    # With an active profile as without: why the image must be rebuilt.
    assert [each["SECBOOT_CODE"] for each in others] == ["unsealed-default", "image-outdated"]
    for each in others:
        assert f"{each['SECBOOT_FILE']}:1:1: warning: {each['MESSAGE']}\n" in said
    assert "to rebuild the Secure Execution image" in said
    assert f"the boot entry of {NEW} may not meet the profile" in said
