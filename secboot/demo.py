"""A sample machine: the boot files of a RHEL 9 system on IBM Z, for trying secboot on any computer.

It looks like a system that anaconda installed on s390x: a zipl.conf that leaves the boot entries to Boot
Loader Specification files, two kernels and a rescue entry. The kernels are stubs that contain what zipl
reads of a kernel image, and nothing that could run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.system.file_errors import file_error
from secboot.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

MACHINE_ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
ROOT_PARAMETERS = "root=/dev/mapper/rhel-root rd.dasd=0.0.0120 rd.lvm.lv=rhel/root crashkernel=192M"
NEW = "5.14.0-427.13.1.el9_4.s390x"
OLD = "5.14.0-362.8.1.el9_3.s390x"
RESCUE = f"0-rescue-{MACHINE_ID}"

ZIPL_CONF = """\
[defaultboot]
defaultauto
prompt=1
timeout=5
target=/boot
secure=auto
"""
OS_RELEASE = """\
NAME="Red Hat Enterprise Linux"
ID="rhel"
ID_LIKE="fedora"
VERSION_ID="9.4"
PRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"
"""

COMMAND_LINE_SIZE = 4096
"""CONFIG_COMMAND_LINE_SIZE of Red Hat's kernels since 9.1."""


def sample_files() -> dict[str, bytes]:
    """Return the file contents of the sample machine by path; the paths imply the directories."""
    texts = {
        "etc/zipl.conf": ZIPL_CONF,
        "etc/os-release": OS_RELEASE,
        "etc/kernel/cmdline": ROOT_PARAMETERS + "\n",
    }
    entries = {
        # People write 512M when they want 512 MiB; the kernel reads 512 blocks of 2 KiB.
        NEW: (f"({NEW}) 9.4 (Plow)", ROOT_PARAMETERS),
        OLD: (f"({OLD}) 9.3 (Plow)", f"{ROOT_PARAMETERS} swiotlb=512M"),
        RESCUE: (f"({RESCUE}) 9.4 (Plow)", ROOT_PARAMETERS),
    }
    files = {path: text.encode() for path, text in texts.items()}
    for version, (suffix, parameters) in entries.items():
        files[f"boot/loader/entries/{MACHINE_ID}-{_file_version(version)}.conf"] = (
            f"title Red Hat Enterprise Linux {suffix}\n"
            f"version {version}\n"
            f"linux /boot/vmlinuz-{version}\n"
            f"initrd /boot/initramfs-{version}.img\n"
            f"options {parameters}\n"
            "grub_users $grub_users\n"
            "grub_arg --unrestricted\n"
            "grub_class kernel\n"
        ).encode()
        files[f"boot/vmlinuz-{version}"] = kernel_stub(COMMAND_LINE_SIZE)
        files[f"boot/initramfs-{version}.img"] = b"not a real initramfs\n"
    return files


def kernel_stub(command_line_size: int) -> bytes:
    """Return the part of an s390x kernel image that zipl and secboot read.

    ``S390EP`` at 0x10008 marks an s390x kernel; the big-endian number at 0x10430 is the maximum size of its
    command line in bytes, 0 in kernels before 5.16 (arch/s390/include/asm/setup.h).
    """
    image = bytearray(0x11000)
    image[0x10008:0x1000E] = b"S390EP"
    image[0x10430:0x10438] = command_line_size.to_bytes(8, "big")
    return bytes(image)


def write_sample(directory: Path) -> tuple[str, ...]:
    """Write the sample machine to `directory`, which must not exist or be empty.

    Returns the sorted paths of the written files, relative to the directory.
    """
    target = directory
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise RefusedError(
                f"{visible(str(directory))} exists and is not an empty directory",
                hint="give a directory that does not exist yet",
            )
        files = sample_files()
        for path, data in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except PermissionError as error:
        raise RefusedError(
            f"{visible(str(directory))}: no permission to write here",
            hint="choose a directory of your own: secboot demo ~/machine",
        ) from error
    except OSError as error:
        raise file_error(error, str(target)) from error
    return tuple(sorted(files))


def _file_version(version: str) -> str:
    # s390utils' 52-zipl-rescue.install names the rescue entry <machine-id>-0-rescue.conf.
    return "0-rescue" if version == RESCUE else version
