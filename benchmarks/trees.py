"""The machines that are measured: the boot files of IBM Z systems with any number of entries."""

from __future__ import annotations

import lzma
import shutil
from typing import TYPE_CHECKING

from secboot.demo import COMMAND_LINE_SIZE, kernel_stub, write_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARAMETERS = (
    "root=/dev/mapper/rhel-root crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rd.dasd=0.0.0120"
    " rd.lvm.lv=rhel/root cio_ignore=all,!condev"
)
KERNELS = 3
"""Entries share this many kernels: what is measured is entries, not kernel images."""


def write_bls(directory: Path, count: int) -> None:
    """Write a machine with `count` BLS entries, one of them in zipl's menu."""
    _write_kernels(directory)
    conf = "[defaultboot]\ndefaultmenu=menu\n\n:menu\ntarget=/boot\n1=entry 0\n"
    _write(directory / "etc/zipl.conf", conf)
    for number in range(count):
        write_bls_entry(directory, number)


def write_bls_entry(directory: Path, number: int) -> None:
    """Write one BLS entry; a higher number is that of a newer kernel."""
    _write(
        directory / f"boot/loader/entries/0123456789abcdef-5.14.{number}.conf",
        f"title entry {number}\nversion 5.14.{number}\n"
        f"linux /boot/vmlinuz-{number % KERNELS}\ninitrd /boot/initrd\n"
        f"options {PARAMETERS}\ngrub_users $grub_users\ngrub_class kernel\n",
    )


def write_sections(directory: Path, count: int) -> None:
    """Write a machine with `count` sections in one zipl.conf, the first one the default."""
    _write_kernels(directory)
    sections = (
        f"\n[entry{number}]\ntarget=/boot\nimage=/boot/vmlinuz-{number % KERNELS}\n"
        f'ramdisk=/boot/initrd\nparameters="{PARAMETERS}"\n'
        for number in range(count)
    )
    _write(directory / "etc/zipl.conf", "[defaultboot]\ndefault=entry0\n" + "".join(sections))


def write_with_bootmap(directory: Path, bootmap: Path) -> None:
    """Write the sample machine of ``secboot demo`` with a bootmap, compressed with xz."""
    write_sample(directory)
    (directory / "boot/bootmap").write_bytes(lzma.decompress(bootmap.read_bytes()))


def write_documents(directory: Path, count: int, contents: Sequence[bytes]) -> None:
    """Write the documents of this many machines, each a copy of one of `contents` in turn."""
    directory.mkdir()
    for number in range(count):
        (directory / f"machine-{number:05}.json").write_bytes(contents[number % len(contents)])


def boot_files(directory: Path) -> Sequence[str]:
    """Return the paths of the files that hold boot entries."""
    entries = sorted((directory / "boot/loader/entries").glob("*.conf"))
    return [str(path) for path in (directory / "etc/zipl.conf", *entries)]


def reset(directory: Path, template: Path) -> None:
    """Make a machine the same as another one, whatever was done to it."""
    if directory.exists():
        shutil.rmtree(directory)
    shutil.copytree(template, directory)


def _write_kernels(directory: Path) -> None:
    (directory / "boot/loader/entries").mkdir(parents=True)
    for number in range(KERNELS):
        (directory / f"boot/vmlinuz-{number}").write_bytes(kernel_stub(COMMAND_LINE_SIZE))
    _write(directory / "boot/initrd", "no initrd\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
