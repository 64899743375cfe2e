"""Boot records of every kind, written by the real zipl: what to install, on which kind of disk.

zipl computes block pointers from the file system's mapping and from its information about the
disk, and writes the IPL record to the base device. With a second loop device as the base, it also
writes records for ECKD and FBA disks, which this machine does not have.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from secboot.formats.bootmap import Bootmap
from tests.s390x.boot_texts import bls_entry, menu, section, single_section
from tests.s390x.real_zipl import Cell, kernel_stub
from tests.s390x.zipl_output import Verdict

_BASE_SIZE = 320 * 2**20


@dataclass(frozen=True, slots=True)
class DiskKind:
    """The properties of the disk for zipl. `geometry` is ``cylinders,heads,sectors`` for ECKD."""

    type: str
    block_size: int
    geometry: str = ""
    offset: int = 0

    def answers(self, base: str) -> str:
        """The output of a helper script of zipl for this disk (see `real_zipl.HELPER`)."""
        answers = [f"targetbase={base}", f"targettype={self.type}"]
        # The nth value of a name belongs to the nth disk, so each disk needs all of them.
        answers += [f"targetgeometry={self.geometry or '0,0,0'}"]
        answers += [f"targetblocksize={self.block_size}", f"targetoffset={self.offset}"]
        return "".join(f"echo {answer}\n" for answer in answers)


DISKS = {
    "scsi-512": DiskKind("SCSI", 512, offset=2048),
    "scsi-4096": DiskKind("SCSI", 4096, offset=256),
    "fba-512": DiskKind("FBA", 512, offset=2),
    "eckd-ldl-4096": DiskKind("LDL", 4096, "800,15,12", 3),
    "eckd-cdl-4096": DiskKind("CDL", 4096, "800,15,12", 24),
    "eckd-cdl-512": DiskKind("CDL", 512, "2000,15,49", 98),
}

MIRRORS = {
    "scsi-scsi-512": (DISKS["scsi-512"], DiskKind("SCSI", 512, offset=8192)),
    "five-scsi-4096": (DISKS["scsi-4096"],) * 5,
    "fba-scsi-512": (DISKS["fba-512"], DISKS["scsi-512"]),
    "cdl-cdl-4096": (DISKS["eckd-cdl-4096"], DiskKind("CDL", 4096, "1200,15,12", 241)),
    "cdl-scsi512-4096": (DISKS["eckd-cdl-4096"], DISKS["scsi-512"]),
    "scsi-cdl-ldl-4096": (
        DISKS["scsi-4096"],
        DISKS["eckd-cdl-4096"],
        DISKS["eckd-ldl-4096"],
    ),
}
"""Base disks of a mirrored file system, for a zipl that supports different disks (since 2.39).

The first disk's blocks must not be smaller than the others': zipl aborts with an assertion.
"""
MIRRORS_SINCE = (2, 39)
MOST_DISKS = max(map(len, MIRRORS.values()))

_VOLUME_LABEL = "VOL1VOL10X0100".encode("cp037").ljust(84, b"\x40")
"""zipl 2.40 looks for a label on a disk of the compatible layout (vtoc_read_volume_label)."""
_LABEL_BLOCK = 2

_LONG = " ".join(
    f"rd.zfcp=0.0.19{n:02x},0x500507630b1050{n:02x},0x4010400000000000" for n in range(60)
)

SECTION = single_section('"root=/dev/vda1 swiotlb=262144 mark=section"')

MENU = (
    "[defaultboot]\ndefaultmenu=menu\n"
    + section("first", '"root=/dev/vda1 prot_virt=1 console=${CONSOLE}"')
    + section("second", f"'root=\"a b\" quiet {_LONG[:700]}'", ramdisk=False)
    + section("silent", None)
    + menu("menu", {7: "first", 3: "second", 12: "silent"}, default=3)
)

MANY = (
    "[defaultboot]\ndefaultmenu=many\n"
    + "".join(section(f"s{n}", f"mark={n} {'x' * (n * 31)}", ramdisk=False) for n in range(1, 29))
    + menu("many", {n: f"s{n}" for n in range(28, 0, -1)}, default=17)
)

BLS_CONF = "[defaultboot]\ndefaultauto\ntarget=/boot\n"


_KERNEL = kernel_stub(4096) + bytes(range(1, 251)) * 400
FILES: Mapping[str, bytes] = {
    "boot/vmlinuz": _KERNEL,
    "boot/initrd": b"ramdisk\n" * 9000,
    "etc/ziplenv": b"CONSOLE=ttyS0\nSWIOTLB=swiotlb=262144\n",
}

SETUPS: Mapping[str, Mapping[str, bytes]] = {
    "section": {"etc/zipl.conf": SECTION.encode()},
    "menu": {"etc/zipl.conf": MENU.encode()},
    "many": {"etc/zipl.conf": MANY.encode()},
    "bls": {
        "etc/zipl.conf": BLS_CONF.encode(),
        "boot/loader/entries/a.conf": bls_entry(
            "Linux A", "5.14.0-1", "root=/dev/vda1 quiet"
        ).encode(),
        "boot/loader/entries/b.conf": bls_entry(
            "Linux B", "5.14.0-2", f"root=/dev/vda1 {_LONG[:800]}"
        ).encode(),
        "boot/loader/entries/c.conf": bls_entry(
            "Linux C", "5.14.0-3", "root=/dev/vda1 ${SWIOTLB}"
        ).encode(),
    },
}


@contextlib.contextmanager
def base_devices() -> Iterator[tuple[str, ...]]:
    """Loop devices that represent the disks where zipl writes the IPL record."""
    with contextlib.ExitStack() as stack:
        yield tuple(stack.enter_context(_base_device()) for _ in range(MOST_DISKS))


@contextlib.contextmanager
def _base_device() -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="secboot-base-") as image:
        image.truncate(_BASE_SIZE)
        with loop_device(Path(image.name)) as device:
            yield device


@contextlib.contextmanager
def loop_device(image: Path) -> Iterator[str]:
    """A loop device for an image."""
    command = ["losetup", "--find", "--show", os.fspath(image)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def prepare(cell: Cell, bases: Sequence[str], *kinds: DiskKind) -> None:
    """Make the cell's zipl believe that its target is on such a disk, or mirrored on several."""
    disks = list(zip(bases, kinds, strict=False))
    for base, kind in disks:
        node = cell.directory / base.lstrip("/")
        if not node.exists():
            os.mknod(node, 0o060600, Path(base).stat().st_rdev)
        if kind.type == "CDL":
            with Path(base).open("r+b") as device:
                device.seek(_LABEL_BLOCK * kind.block_size)
                device.write(_VOLUME_LABEL)
    helper = cell.directory / "usr/lib/s390-tools/zipl_helper.loop"
    helper.write_text("#!/bin/sh\n" + "".join(kind.answers(base) for base, kind in disks))
    helper.chmod(0o755)


def release(version: str) -> tuple[int, ...]:
    """The version of a zipl, for comparisons."""
    return tuple(map(int, version.split(".")))


def targets(version: str) -> Mapping[str, tuple[DiskKind, ...]]:
    """Where this zipl can install: a disk of each kind, and mirrors if it supports them."""
    single = {name: (kind,) for name, kind in DISKS.items()}
    return single | MIRRORS if release(version) >= MIRRORS_SINCE else single


def install(cell: Cell, setup: str, *options: str) -> tuple[Verdict, bytes]:
    """Really install a set-up; return zipl's output and the bootmap."""
    cell.fill_with({**FILES, **SETUPS[setup]})
    verdict = cell.install(*options)
    assert verdict.accepted, verdict.output
    return verdict, (cell.directory / "boot/bootmap").read_bytes()


Reading = list[tuple[int, bool, str]]
"""Each entry's menu number (0 without a menu), whether it is the default, and its line."""


def said_by_zipl(verdict: Verdict, disks: int = 1) -> Reading:
    """What zipl reports as installed; it must be the same for each of several disks."""
    said = [(e.number or 0, e.default, e.parmline or "") for e in verdict.entries]
    once = said[: len(said) // disks]
    assert said == once * disks, verdict.output
    return once


def read_by_secboot(bootmap: Bootmap) -> Reading:
    """What secboot reads in the bootmap."""
    return [(max(p.numbers), p.is_default, p.parmline or "") for p in bootmap.programs]
