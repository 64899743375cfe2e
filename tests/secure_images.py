"""Files with the layout of IBM Secure Execution images, made without keys.

The layout is that of pvimg (s390-tools 2.36 and later, rust/pvimg/src/se_img.rs): a short PSW,
metadata at 0xC000, the boot loader at 0x11000, the header at 0x14000, then kernel, ramdisk,
parameter line and the second boot loader, each padded to whole pages, and last the IPL parameter
information block, which says where they are. Encrypted parts of a real image are noise here.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

PAGE = 0x1000
METADATA, LOADER, HEADER = 0xC000, 0x11000, 0x14000
KERNEL, RAMDISK, PARAMETERS, STAGE3B = 40, 50, 60, 70
PCKMO, NO_COMPONENT_ENCRYPTION = 0xE0, 1 << 28


def build_image(
    kernel: bytes, ramdisk: bytes, parameters: bytes, *, encrypted: bool = True
) -> bytes:
    """Return an image; its parameter line ends in a NUL, as pvimg writes it."""
    parts = ((KERNEL, kernel), (RAMDISK, ramdisk), (PARAMETERS, parameters), (STAGE3B, b"\0" * 16))
    image = bytearray(HEADER + PAGE)
    image[:8] = bytes.fromhex("0008000080012000")
    placed = []
    for kind, data in parts:
        size = max(1, -(-len(data) // PAGE)) * PAGE
        placed.append((kind, len(image), size))
        image += (_noise(kind, size) if encrypted else data).ljust(size, b"\0")
    ipib = len(image)
    image += _ipib(placed).ljust(PAGE, b"\0")
    header = secure_header(PCKMO if encrypted else PCKMO | NO_COMPONENT_ENCRYPTION)
    image[HEADER : HEADER + len(header)] = header
    metadata = b"SeImgLnx" + _number(HEADER, 8) + _number(1, 4) + _number(ipib, 8)
    image[METADATA : METADATA + len(metadata)] = metadata
    image[LOADER : LOADER + 16] = b"\x07\x07" * 8
    return bytes(image)


def secure_header(flags: int) -> bytes:
    """Return a Secure Execution header with these plaintext control flags."""
    header = bytearray(0x280)
    header[:16] = b"IBMSecEx" + _number(0x100, 4) + _number(len(header), 4)
    header[0x20:0x28] = _number(1, 8)
    header[0x38:0x40] = _number(flags, 8)
    return bytes(header)


def _ipib(parts: list[tuple[int, int, int]]) -> bytes:
    """``struct ipl_parameter_block`` with a block of type 5 for protected virtualization."""
    components = b"".join(
        _number(kind, 2) + _noise(kind, 6) + _number(start, 8) + _number(size, 8)
        for kind, start, size in parts
    )
    block = bytearray(128)
    block[:5] = _number(128 + len(components), 4) + b"\5"
    block[103] = 1
    block[108:112] = _number(len(parts), 4)
    block[112:128] = _number(HEADER, 8) + _number(0x280, 8)
    head = _number(8 + len(block) + len(components), 4) + b"\0\0\0\1"
    return head + bytes(block) + components


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def _noise(seed: int, size: int) -> bytes:
    return hashlib.shake_256(bytes([seed])).digest(size)


def main(arguments: list[str]) -> int:
    """Parse the options of genprotimg that a test uses; refuse an existing output, as it does."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    output = Path(options["-o"])
    if output.exists():
        print(f"error: {output} exists already", file=sys.stderr)  # noqa: T201 - a program's message
        return 1
    line = Path(options["-p"]).read_bytes()
    image = build_image(Path(options["-i"]).read_bytes(), Path(options["-r"]).read_bytes(), line)
    output.write_bytes(image)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
