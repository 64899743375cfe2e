"""Reading the running kernel's messages from /dev/kmsg (Documentation/ABI/testing/dev-kmsg).

Read from the device itself and not by dmesg(1): its records are numbered, so that it is known
whether the first messages of this boot are still there.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from secboot.running.messages import NO_MESSAGES, KernelMessages

if TYPE_CHECKING:
    from pathlib import Path

_RECORD = re.compile(r"^\d+,(\d+),\d+,[^;]*;(.*)$")
_RECORD_SIZE = 8192
_RECORD_LIMIT = 500_000


def read_kernel_log(device: Path) -> KernelMessages:
    """Read what the log holds now, without waiting for more. Nothing where it may not be read."""
    try:
        log = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return NO_MESSAGES
    try:
        return _parse(_records(log))
    finally:
        os.close(log)


def _records(log: int) -> list[str]:
    """One record each read; EPIPE says that some were overwritten before they could be read."""
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
        records.append(record.decode("utf-8", "surrogateescape"))
    return records


def _parse(records: list[str]) -> KernelMessages:
    lines = []
    first = None
    for record in records:
        for line in record.split("\n"):
            found = _RECORD.match(line)
            if found is not None:
                first = int(found[1]) if first is None else first
                lines.append(found[2])
    return KernelMessages.read(lines, complete=first == 0)
