"""One line in the system's log for each change: who, what, and how it ended.

It goes to syslog(3), which the systemd journal reads too. The full record is in the checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.checkpoint.store import Checkpoint


def line_for(checkpoint: Checkpoint) -> str:
    """The line: ``key=value`` words, values with blanks or quotes in double quotes."""
    audit = checkpoint.record.audit
    words = {
        "action": str(audit.action),
        "checkpoint": checkpoint.id,
        "outcome": str(checkpoint.state),
        "root": checkpoint.record.root,
        "profile": audit.profile,
        "profile_digest": audit.profile_digest,
        "undoes": audit.undoes,
        "user": audit.actor.user or str(audit.actor.uid),
        "sudo_user": audit.actor.sudo_user,
        "version": audit.version,
        "zipl": audit.zipl,
        "files": ",".join(file.path for file in checkpoint.record.files),
    }
    return " ".join(f"{key}={_quoted(value)}" for key, value in words.items() if value is not None)


def log_change(checkpoint: Checkpoint) -> None:
    """Send the line for `checkpoint` to the system's log; nothing happens where there is none."""
    import syslog  # noqa: PLC0415 - only a change needs it

    syslog.openlog("secboot", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, line_for(checkpoint))
    syslog.closelog()


def _quoted(value: str) -> str:
    text = visible(value)
    if text and not any(character in text for character in ' "='):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
