"""The system log: entries with fields for the systemd journal, or lines for syslog.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: one datagram of ``NAME=value`` lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

SOCKET = "/run/systemd/journal/socket"
_MOST = 2**16
"""Bytes of one entry: a datagram of the default size takes more."""


_AUTHPRIV = 10


def log(
    priority: int, message: str, message_id: str, facts: Iterable[tuple[str, str]] = ()
) -> None:
    """Send an entry to the systemd journal, or only its message to syslog if none is running.

    `priority` is that of syslog(3): 3 is an error, 4 a warning, 5 a notice. `message_id` is what
    entries of one kind have in common (systemd.journal-fields(7)). The names of `facts` become
    those of fields, after ``SECBOOT_``.
    """
    fields = [
        ("MESSAGE", message),
        ("MESSAGE_ID", message_id),
        ("PRIORITY", str(priority)),
        ("SYSLOG_FACILITY", str(_AUTHPRIV)),
        ("SYSLOG_IDENTIFIER", "secboot"),
        *((f"SECBOOT_{name.upper()}", visible(value)) for name, value in facts),
    ]
    if send(fields):
        return
    import syslog  # noqa: PLC0415 - rarely needed

    syslog.openlog("secboot", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(priority, message)
    syslog.closelog()


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
