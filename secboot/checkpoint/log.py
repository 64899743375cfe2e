"""The entry in the system log for each change: who changed what, and how it ended.

The systemd journal gets it with fields, which can be searched: ``journalctl SECBOOT_PROFILE=host``. If no
journal is running, syslog gets the same line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.journal import State
from secboot.system.systemd_journal import log
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.checkpoint.record import Checkpoint

MESSAGE_ID = "709e257818a94623baaef6d655f94757"
"""The fields that all entries about changes have in common; systemd.journal-fields(7)."""
_PRIORITIES = {State.DONE: 5, State.ROLLED_BACK: 4}
"""Priorities of syslog(3): 5 is a notice, 4 a warning, 3 an error. An unfinished change is an error."""


def line_for(checkpoint: Checkpoint) -> str:
    """Return the message: ``key=value`` words; values with spaces or quotes are in double quotes."""
    words: dict[str, list[str]] = {}
    for key, value in _facts(checkpoint):
        words.setdefault("files" if key == "file" else key, []).append(value)
    return " ".join(f"{key}={_quoted(','.join(values))}" for key, values in words.items())


def log_change(checkpoint: Checkpoint) -> None:
    """Send the entry for `checkpoint` to the systemd journal, or to syslog if none is running."""
    priority = _PRIORITIES.get(checkpoint.state, 3)
    log(priority, line_for(checkpoint), MESSAGE_ID, _facts(checkpoint))


def _facts(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Yield the non-empty facts about a change, each file separately."""
    audit = checkpoint.record.audit
    facts = {
        "action": str(audit.action),
        "checkpoint": checkpoint.id,
        "outcome": str(checkpoint.state),
        "root": checkpoint.record.root,
        "profile": audit.profile,
        "profile_digest": audit.profile_digest,
        "set": " ".join(audit.words) or None,
        "undoes": audit.undoes,
        "trial": None if audit.trial is None else audit.trial.entry,
        "confirms": audit.confirms,
        "user": audit.who.user or str(audit.who.uid),
        "sudo_user": audit.who.sudo_user,
        "version": audit.version,
        "zipl": audit.zipl,
    }
    yield from ((key, value) for key, value in facts.items() if value is not None)
    yield from (("file", file.path) for file in checkpoint.record.files)
    settings = ",".join(each.path for each in checkpoint.record.settings)
    if settings:
        yield "settings", settings


def _quoted(value: str) -> str:
    text = visible(value)
    if text and not any(character in text for character in ' "='):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
