"""One line in the system's log for each change, beside the full record in its checkpoint."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.checkpoint.record import Actor
from secboot.errors import SecbootError
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LINE_LIMIT = 900
"""Characters; RFC 3164 lets receivers drop what is beyond 1024 bytes."""


def write_system_log(line: str) -> None:
    """Write one line to syslog or the journal, whichever listens; to nobody if none does."""
    import syslog  # noqa: PLC0415 - only a change needs it

    syslog.openlog("secboot", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, line)


@contextmanager
def logged(log: Callable[[str], None], command: Sequence[str]) -> Iterator[list[str]]:
    """Log what the body did: the facts that it adds to the list, or the error that ended it."""
    facts: list[str] = []
    try:
        yield facts
    except SecbootError as error:
        outcome = f"exit {int(error.exit_code)}: {error.message}"
        log(_line(command, [*facts, outcome]))
        raise
    log(_line(command, [*facts, "done"]))


def _line(command: Sequence[str], facts: Sequence[str]) -> str:
    actor = Actor.current()
    who = actor.user or str(actor.uid)
    if actor.sudo_user:
        who = f"{who} (sudo by {actor.sudo_user})"
    text = f"{' '.join(command)}; by {who}; {'; '.join(facts)}"
    return visible(text.replace("\n", " "))[:LINE_LIMIT]
