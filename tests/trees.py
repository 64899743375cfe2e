"""Trees of machines for tests: from the samples, and from directories of boot files.

A kernel image is a stub with the parts that zipl reads, created where a boot file names it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from secboot.demo import kernel_stub
from secboot.machine.installed_zipl import BOOTMAP_LIMIT
from tests.secure_images import NO_COMPONENT_ENCRYPTION, PCKMO, secure_header

SAMPLES = Path(__file__).parent / "data" / "samples"

MACHINE_ID = "7fe4e6a2302e4d9a8c03e3ba4b958c20"
_ENTRIES = "boot/loader/entries"
_RHEL8 = {
    f"{_ENTRIES}/{MACHINE_ID}-{version}.conf": f"rhel8/{MACHINE_ID}-{version}.conf"
    for version in (
        "4.18.0-147.el8.s390x",
        "4.18.0-147.el8.s390x+debug",
        "4.18.0-147.el8.CUSTOMKERNEL.s390x",
        "0-rescue",
    )
}
_RHEL9 = "a1b2c3d4e5f60718293a4b5c6d7e8f90-5.14.0-427.13.1.el9_4.s390x.conf"

SAMPLE_TREES: dict[str, dict[str, str]] = {
    "alpine": {"etc/zipl.conf": "alpine/zipl.conf"},
    "debian-installer": {"etc/zipl.conf": "debian/zipl-installer.conf"},
    "lfs-parmfile": {
        "etc/zipl.conf": "other/lfs-parmfile.conf",
        "boot/parmfile": "other/lfs-parmfile",
    },
    "manpage-example": {
        "etc/zipl.conf": "other/manpage-example.conf",
        "boot/parmfile-test": "other/lfs-parmfile",
    },
    "rhel8": {"etc/zipl.conf": "rhel8/etc-zipl.conf", **_RHEL8},
    "rhel8-default-title": {"etc/zipl.conf": "rhel8/etc-zipl.conf-with-default-title", **_RHEL8},
    "rhel8-switched-to-bls": {
        "etc/zipl.conf": "rhel8/etc-zipl.conf-fedora30",
        f"{_ENTRIES}/linux.conf": "rhel8/switch-to-blscfg.conf",
    },
    "rhel9": {
        "etc/zipl.conf": "other/s390-tools-minimal.conf",
        f"{_ENTRIES}/{_RHEL9}": f"rhel9-10/{_RHEL9}",
        f"{_ENTRIES}/ibm.conf": "rhel9-10/ibm-docs-bls.conf",
        "etc/kernel/cmdline": "rhel9-10/etc-kernel-cmdline",
    },
    "library-zipl-conf": {
        "usr/lib/s390-tools/zipl.conf": "rhcos-fcos/usr-lib-s390-tools-zipl.conf",
        f"{_ENTRIES}/ibm.conf": "rhel9-10/ibm-docs-bls.conf",
    },
    "s390-tools-example": {
        "etc/zipl.conf": "other/s390-tools-example.conf",
        "boot/parmfile-customized": "other/lfs-parmfile",
    },
    "ubuntu-curtin": {"etc/zipl.conf": "ubuntu/curtin-maas.conf"},
    "ubuntu-installer": {"etc/zipl.conf": "ubuntu/di-xenial-menu-optional.conf"},
}
"""Machines that secboot edits, built from samples: path in the tree, path in the samples."""

_IMAGE = re.compile(rb"^\s*(?:image|linux|ramdisk|initrd)\s*=?\s*[\"']?([^\s,\"']+)", re.MULTILINE)


def link_kernels(root: Path, release: str) -> None:
    """Replace kernel and ramdisk by links, as Debian's packages create and update them."""
    for name in ("vmlinuz", "initrd", "initrd.img"):
        file = root / "boot" / name
        if file.exists():
            file.rename(file.with_name(f"{name}-{release}"))
            file.symlink_to(f"{name}-{release}")
    add_debian_hook(root)


def add_debian_hook(root: Path, mode: int = 0o755) -> None:
    """Add the hook of Debian's s390-tools that runs zipl for a new kernel."""
    hook = root / "etc/kernel/postinst.d/zz-zipl"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.touch()
    hook.chmod(mode)


def plain_kernel(size: int, command_line_size: int) -> bytes:
    """An s390x kernel image of `size` bytes, with the parts that boot programs read."""
    stub = kernel_stub(command_line_size)
    return stub + b"\x07\x07" * ((size - len(stub)) // 2)


def sealed_image(
    size: int = 2**17,
    page: int = 0x14,
    *,
    metadata: bool = True,
    encrypted: bool = True,
    flags: int = PCKMO,
) -> bytes:
    """An IBM Secure Execution image with its header on the given page.

    `flags` are the plaintext control flags, by default those of the builders since 2.17.

    With `metadata` it has the layout of pvimg since s390-tools 2.36, without that of earlier
    genprotimg (s390-tools, rust/pv/src/brcb.rs and rust/pvimg).
    """
    image = bytearray(size)
    image[:8] = bytes.fromhex("0008000080000000")
    if metadata:
        image[0xC000:0xC008] = b"SeImgLnx"
        image[0xC008:0xC010] = (page * 0x1000).to_bytes(8, "big")
        image[0xC010:0xC014] = (1).to_bytes(4, "big")
    header = secure_header(flags if encrypted else flags | NO_COMPONENT_ENCRYPTION)
    image[page * 0x1000 : page * 0x1000 + len(header)] = header
    return bytes(image)


def make_sample_tree(name: str, root: Path) -> Path:
    """Build one of `SAMPLE_TREES` in the directory `root` and return it."""
    for path, sample in SAMPLE_TREES[name].items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLES / sample, target)
    add_images(root)
    return root


def add_images(root: Path, command_line_size: int = 4096) -> None:
    """Create a stub of every kernel and ramdisk that a boot file of the tree names."""
    (root / "boot").mkdir(exist_ok=True)
    for file in [*root.rglob("*.conf")]:
        for match in _IMAGE.finditer(file.read_bytes()):
            name = os.fsdecode(match[1]).lstrip("/")
            image = root / name
            if not image.exists() and not (root / "boot" / name).exists():
                image.parent.mkdir(parents=True, exist_ok=True)
                image.write_bytes(kernel_stub(command_line_size))


def hide_boot_record(root: Path, modified: float | None = None, target: str = "boot") -> None:
    """Give the tree a boot record that can't be read, as for a user other than root.

    `modified` is when it was written, in seconds since 1970, by default now. `target` is zipl's.
    """
    record = root / target / "bootmap"
    with record.open("wb") as file:
        file.truncate(BOOTMAP_LIMIT + 1)
    if modified is not None:
        os.utime(record, (modified, modified))


def snapshot(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return mode and content of everything in the tree except secboot's own state."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("var"):
            continue
        status = path.lstat()
        if path.is_symlink():
            found[name] = (status.st_mode, str(path.readlink()))
        elif path.is_file():
            found[name] = (status.st_mode, path.read_bytes())
        else:
            found[name] = (status.st_mode, "")
    return found
