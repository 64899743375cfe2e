"""Disk images for the guest, made without mounting anything and without root."""

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = "root=/dev/disk/by-path/ccw-0.0.0001"
"""The kernel parameter that names the first disk of a guest."""


def make_filesystem(image: Path, tree: Path | None, size: int) -> None:
    """Make a raw image of ``size`` bytes with one ext4 file system that holds a copy of ``tree``.

    There is no partition table: the boot record is in the file system's first block, which ext4
    leaves to boot loaders. Everything belongs to root in it.
    """
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096"]
    command += ["-E", "lazy_itable_init=0,root_owner=0:0", "-O", "^metadata_csum,^64bit"]
    if tree is not None:
        command += ["-d", os.fspath(tree)]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    subprocess.run([*command, os.fspath(image)], check=True, env={**os.environ, "PATH": path})


def job_disk(image: Path, script: str, files: Mapping[str, bytes | str] | None = None) -> None:
    """Make the disk that carries a job: a tar archive, read straight from the block device.

    ``script`` is what the guest runs with its shell in the directory that holds ``files``.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in {"job": script, **(files or {})}.items():
            data = (
                content if isinstance(content, bytes) else content.encode(errors="surrogateescape")
            )
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    image.write_bytes(buffer.getvalue())
