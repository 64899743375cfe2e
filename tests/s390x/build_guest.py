"""Assemble the s390x guest: a root tree, a kernel, an initramfs and a disk image, all unmounted.

Packages are unpacked, not installed. The one thing that needs an s390x machine, writing kernel and
initramfs without holes, is done by booting the new guest once: `mke2fs -d` leaves holes where a
file has zero blocks, and an IPL from a holed kernel comes up damaged.
"""

import lzma
import os
import shutil
import stat
import subprocess
from pathlib import Path

from tests.s390x.apt import AptError, Suite, unpack
from tests.s390x.emulator import DirectKernel, Disk, boot
from tests.s390x.guest_disk import ROOT, job_disk, make_filesystem
from tests.s390x.recipe import GUEST_PACKAGES, INITRAMFS_MODULES, KERNEL_METAPACKAGE

HERE = Path(__file__).parent
DISK_SIZE = 160 * 1024 * 1024


def build_guest(suite: Suite, work: Path) -> Path:
    """Build ``kernel``, ``initramfs``, ``base.img`` and ``root/`` in a fresh ``work`` directory."""
    shutil.rmtree(work, ignore_errors=True)
    root = work / "root"
    root.mkdir(parents=True)
    kernel_package = suite.dependency(KERNEL_METAPACKAGE, "linux-image-")
    files = suite.download((kernel_package, *GUEST_PACKAGES))
    for name in GUEST_PACKAGES:
        unpack(files[name], root)
    kernel_tree = work / "kernel-package"
    unpack(files[kernel_package], kernel_tree)
    _furnish(root)
    kernel = next((kernel_tree / "boot").glob("vmlinuz-*"))
    shutil.copyfile(kernel, work / "kernel")
    _make_initramfs(kernel_tree, root / "usr/bin/busybox", work / "initramfs")
    shutil.rmtree(kernel_tree)
    _compile_python(root)
    make_base_disk(work, root, work / "base.img")
    return work


def _furnish(root: Path) -> None:
    """Add what maintainer scripts would have made: directories, links, /sbin/init."""
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "var/lib", "etc", "opt"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "boot/loader/entries").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/python3").symlink_to(next((root / "usr/bin").glob("python3.??")).name)
    applets = subprocess.run(
        ["qemu-s390x-static", root / "usr/bin/busybox", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    for applet in applets.stdout.split():
        if not any((root / place / applet).exists() for place in ("usr/bin", "usr/sbin")):
            (root / "usr/bin" / applet).symlink_to("busybox")
    for source, program in (("guest_init.sh", "init"), ("guest_job.sh", "guest-job")):
        shutil.copyfile(HERE / source, root / "usr/sbin" / program)
        (root / "usr/sbin" / program).chmod(0o755)


def _compile_python(root: Path) -> None:
    """Byte-compile the guest's standard library: it makes python's start four times faster.

    The .pyc format depends on the Python version only, so any python3.11 of the host will do;
    without one the guest's own runs under user-mode emulation, which takes half a minute.
    """
    native = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")
    guest = ["qemu-s390x-static", "-L", os.fspath(root), os.fspath(root / "usr/bin/python3.11")]
    library = root / "usr/lib/python3.11"
    options = [
        "-m",
        "compileall",
        "-q",
        "-s",
        os.fspath(root),
        "--invalidation-mode",
        "unchecked-hash",
    ]
    subprocess.run([*([native] if native else guest), *options, os.fspath(library)], check=True)


def _make_initramfs(kernel_tree: Path, busybox: Path, target: Path) -> None:
    members: dict[str, tuple[int, bytes]] = dict.fromkeys(
        ("bin", "lib", "proc", "sys", "dev", "new"), (stat.S_IFDIR | 493, b"")
    )
    members["bin/busybox"] = (stat.S_IFREG | 0o755, busybox.read_bytes())
    members["bin/sh"] = (stat.S_IFLNK | 0o777, b"busybox")
    members["init"] = (stat.S_IFREG | 0o755, (HERE / "initramfs_init.sh").read_bytes())
    loaded = []
    for module in INITRAMFS_MODULES:
        # A module that the kernel has built in has no file.
        for file in sorted(kernel_tree.rglob(f"{module}.ko*"))[:1]:
            content = file.read_bytes()
            if file.suffix == ".xz":
                content = lzma.decompress(content)
            members[f"lib/{module}.ko"] = (stat.S_IFREG | 0o644, content)
            loaded.append(module)
    members["lib/order"] = (stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in loaded).encode())
    target.write_bytes(cpio_archive(members))


def cpio_archive(members: dict[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive in the "newc" form that the kernel unpacks (kernel: initramfs buffer format).

    ``members`` maps a path to its mode and content; the content of a link is its target.
    """
    parts = []
    for inode, (name, (mode, content)) in enumerate([*members.items(), ("TRAILER!!!", (0, b""))]):
        encoded = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + encoded
        parts.append(header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4))
    return b"".join(parts)


DENSE_JOB = """\
set -e
for file in vmlinuz initrd; do
    cat /boot/$file > /boot/dense
    mv /boot/dense /boot/$file
done
"""


def make_base_disk(work: Path, root: Path, image: Path) -> None:
    """Make an ``image`` with a copy of the tree ``root``, and kernel and initramfs in its /boot."""
    shutil.copyfile(work / "kernel", root / "boot/vmlinuz")
    shutil.copyfile(work / "initramfs", root / "boot/initrd")
    make_filesystem(image, root, DISK_SIZE)
    job = work / "dense-job.img"
    job_disk(job, DENSE_JOB)
    empty = work / "empty.img"
    make_filesystem(empty, None, 16 * 1024 * 1024)
    direct = DirectKernel(work / "kernel", work / "initramfs", ROOT)
    result = boot([Disk(image), Disk(empty), Disk(job)], direct)
    if not result.finished or result.marker("JOB") != "0":
        raise AptError(f"the new guest does not come up:\n{result.console[-2000:]}")
    job.unlink()
    empty.unlink()
