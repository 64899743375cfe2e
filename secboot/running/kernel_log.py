"""The kernel's messages about Secure Execution (arch/s390/kernel/uv.c, kernel/dma/swiotlb.c).

They are read from /dev/kmsg (Documentation/ABI/testing/dev-kmsg) and not with dmesg(1), because its
records are numbered, which shows whether the first messages of this boot are still in the log. The
prefix of a message can include an id: ``prot_virt.f9efb6:`` on Ubuntu and SUSE.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from secboot.formats.numbers import at_most
from secboot.formats.text import decoded
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_STAMP = re.compile(r"^\[\s*\d+\.\d+\](?:\[[^\]]*\])?\s?")
_PROT_VIRT = re.compile(r"^prot_virt(?:\.[0-9a-f]{6})?: (.*)$")
_RESERVED = re.compile(r"Reserving (\d+)MB as ultravisor base storage", re.ASCII)
_SWIOTLB = re.compile(r"^software IO TLB(?:\.[0-9a-f]{6})?: (.*)$")
_MAPPED = re.compile(r"mapped \[mem [^\]]*\] \((\d+)MB\)", re.ASCII)
_ADJUSTED = re.compile(r"SWIOTLB bounce buffer size adjusted (\d+) -> (\d+) slabs", re.ASCII)
_NO_BUFFER = re.compile(r"Cannot allocate buffer|Failed to allocate \d+ bytes tlb structure")
_FULL = re.compile(r"swiotlb buffer is full")
_FAILED = re.compile(
    r"not available in protected guests|not supported by the hardware"
    r"|Failed to reserve \d+ bytes|Ultravisor init failed|Disabling support"
)


class KernelMessages(NamedTuple):
    """The relevant messages.

    `complete` means that the log still has the first message of this boot; only then is the absence
    of a message meaningful. `failures` are the lines that say that the kernel will not host Secure
    Execution guests; `bounce_buffer_full` those that say that a bounce buffer was full.
    """

    complete: bool
    reserved_mib: int | None
    failures: tuple[str, ...]
    bounce_buffer_mib: int | None
    adjusted: tuple[int, int] | None
    no_buffer: bool
    bounce_buffer_full: tuple[str, ...]

    @classmethod
    def read(cls, lines: Iterable[str], *, complete: bool) -> KernelMessages:
        """Read the lines of the log, with or without a time stamp in brackets at the start."""
        texts = [_STAMP.sub("", line.rstrip("\n")) for line in lines]
        about_host = _after(_PROT_VIRT, texts)
        about_buffer = _after(_SWIOTLB, texts)
        adjusted = _last(_ADJUSTED, about_buffer)
        reserved = _last(_RESERVED, about_host)
        mapped = _last(_MAPPED, about_buffer)
        return cls(
            complete,
            None if reserved is None else at_most(reserved[1]),
            tuple(text for text in about_host if _FAILED.search(text)),
            None if mapped is None else at_most(mapped[1]),
            None if adjusted is None else (at_most(adjusted[1]), at_most(adjusted[2])),
            any(_NO_BUFFER.search(text) for text in about_buffer),
            tuple(text for text in texts if _FULL.search(text)),
        )


def _after(prefix: re.Pattern[str], texts: list[str]) -> list[str]:
    return [found[1] for text in texts if (found := prefix.match(text))]


def _last(pattern: re.Pattern[str], texts: list[str]) -> re.Match[str] | None:
    found = [match for text in texts if (match := pattern.search(text))]
    return found[-1] if found else None


NO_MESSAGES = KernelMessages.read((), complete=False)
"""Used if the log can't be read."""

_RECORD = re.compile(r"^\d+,(\d+),\d+,[^;]*;(.*)$", re.ASCII)
_RECORD_SIZE = 8192
_RECORD_LIMIT = 500_000


def read_kernel_log(device: Path) -> KernelMessages:
    """Read the present content of the log, without waiting for more. Empty without permission."""
    try:
        log = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return NO_MESSAGES
    try:
        return _parse(_records(log))
    finally:
        os.close(log)


def _records(log: int) -> list[str]:
    """Each read returns one record; EPIPE means that records were overwritten before being read."""
    records: list[str] = []
    while len(records) < _RECORD_LIMIT:
        try:
            record = os.read(log, _RECORD_SIZE)
        except BrokenPipeError:
            continue
        except OSError:
            break
        if not record:
            break
        records.append(decoded(record))
    return records


def _parse(records: list[str]) -> KernelMessages:
    lines = []
    first = None
    for record in records:
        for line in record.split("\n"):
            found = _RECORD.match(line)
            if found is not None:
                first = at_most(found[1]) if first is None else first
                lines.append(found[2])
    return KernelMessages.read(lines, complete=first == 0)
