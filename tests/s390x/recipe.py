"""What the s390x test bed is made of: Debian suites, packages, host programs.

Everything comes from the Debian mirror that this machine's apt already uses; packages for s390x
are only downloaded and unpacked, never installed, and no maintainer script runs.
"""

from typing import Final

BASE_SUITE: Final = "bookworm"
"""The suite of the oldest supported zipl (2.16) and of the guest (kernel 6.1, Python 3.11)."""

NEWER_SUITES: Final = (("trixie",), ("sid", "testing"))
"""Suites with a newer zipl, and after each the suite that stands in for it. One zipl is enough; the
index of a suite that is being published can be out of step with its Release file for a while, and
then the next one is asked, or that zipl is left out and said so."""

ZIPL_PACKAGES: Final = ("s390-tools", "libc6", "libgcc-s1")

GUEST_PACKAGES: Final = (
    "busybox-static",
    "s390-tools",
    "libc6",
    "libgcc-s1",
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libexpat1",
    "zlib1g",
    "libssl3",
    "libbz2-1.0",
    "liblzma5",
    "libffi8",
    "libuuid1",
    "libcrypt1",
)

SYSTEMD_PACKAGES: Final = (
    "systemd",
    "libsystemd-shared",
    "libsystemd0",
    "libacl1",
    "libapparmor1",
    "libargon2-1",
    "libaudit1",
    "libblkid1",
    "libcap-ng0",
    "libcap2",
    "libcryptsetup12",
    "libdevmapper1.02.1",
    "libfdisk1",
    "libgcrypt20",
    "libgpg-error0",
    "libip4tc2",
    "libjson-c5",
    "libkmod2",
    "liblz4-1",
    "libmount1",
    "libp11-kit0",
    "libpam0g",
    "libpcre2-8-0",
    "libseccomp2",
    "libselinux1",
    "libsmartcols1",
    "libudev1",
    "libzstd1",
    "mount",
)
"""What the guest has besides when systemd brings it up; no udev and no D-Bus."""

KERNEL_METAPACKAGE: Final = "linux-image-s390x"

INITRAMFS_MODULES: Final = (
    "crc16",
    "crc32c_generic",
    "libcrc32c",
    "mbcache",
    "jbd2",
    "ext4",
    "virtio_blk",
)
"""Kernel modules that mounting an ext4 virtio disk needs, each after those it depends on."""

HOST_PROGRAMS: Final = {
    "qemu-system-s390x": "qemu-system-misc",
    "qemu-s390x-static": "qemu-user-static",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "strace": "strace",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "dpkg-deb": "dpkg",
}
"""Programs the test bed runs on the host, and the Debian package that has each."""

NATIVE_SHELL_PACKAGE: Final = "busybox-static"
"""A static shell for the host's own architecture. zipl starts its helper scripts through /bin/sh;
inside a chroot with s390x programs a native one runs them without any binfmt_misc set-up."""
