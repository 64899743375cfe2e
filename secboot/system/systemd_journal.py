"""Entries with fields for the systemd journal, by its native protocol.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: one datagram of ``NAME=value`` lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SOCKET = "/run/systemd/journal/socket"
_MOST = 2**16
"""Bytes of one entry: a datagram of the default size takes more."""


def send(fields: Iterable[tuple[str, str]]) -> bool:
    """Send one entry; return whether a journal took it.

    `fields` are upper-case names and values without line feeds; a name may occur more than once.
    """
    import socket  # noqa: PLC0415 - only a change is logged

    lines = [f"{name}={value}\n".encode() for name, value in fields if "\n" not in value]
    entry = b"".join(lines)
    if len(entry) > _MOST:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as journal:
            journal.sendto(entry, socket.MSG_DONTWAIT, SOCKET)
    except OSError:
        return False
    return True
