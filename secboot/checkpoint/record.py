"""What a checkpoint remembers: who did what, and each file as it was and as it was made.

The record is one JSON document, ``secboot/checkpoint/1``, written before the first file changes.
What happens afterwards is in the journal (`secboot.checkpoint.journal`).
"""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot import codec
from secboot.checkpoint.journal import JournalEntry, State, state_of
from secboot.errors import ParseError, RefusedError
from secboot.named_tuple import NamedTuple
from secboot.system.files import FileAttributes
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "secboot/checkpoint/1"


class DamagedCheckpointError(RefusedError):
    """A checkpoint's record can't be read as one."""


class Action(StrEnum):
    """What made the checkpoint."""

    APPLY = "apply"
    ROLLBACK = "rollback"


class Actor(NamedTuple):
    """Who ran secboot, and where: user id and name, the user behind sudo, the host's name."""

    uid: int
    user: str | None
    sudo_user: str | None
    host: str

    @classmethod
    def current(cls, environment: Mapping[str, str] = os.environ) -> Actor:
        """The actor of this process; ``SUDO_USER`` counts only for root, who alone gets it."""
        uid = os.getuid()
        sudo_user = environment.get("SUDO_USER") if uid == 0 else None
        return cls(uid, _user_name(uid), sudo_user, os.uname().nodename)


class Audit(NamedTuple):
    """Why the files were changed.

    `command` is secboot's argument list, `started` a moment in RFC 3339 (UTC), `profile` the
    name of what was applied with `profile_digest` (SHA-256), `undoes` the checkpoint that is
    rolled back, `zipl` the version of the zipl that is to run.
    """

    action: Action
    command: tuple[str, ...]
    who: Actor
    started: str
    version: str
    profile: str | None = None
    profile_digest: str | None = None
    zipl: str | None = None
    undoes: str | None = None


class FileVersion(NamedTuple):
    """A file at one time: SHA-256 digest and size of its bytes, and its attributes."""

    digest: str
    size: int
    attributes: FileAttributes


class SavedFile(NamedTuple):
    """One file of a change. None stands for "no such file".

    `path` is the real path in the root, `named` the path it was reached by (a symbolic link, or
    the same). `prepared` and `restored` are the names, beside the file, of the temporary files
    that the change and its rollback use.
    """

    path: str
    named: str
    before: FileVersion | None
    after: FileVersion | None
    prepared: str
    restored: str

    def flaw(self) -> str:
        """Say what no record of ours has: only our temporary files are removed on its word."""
        if not self.path.startswith("/"):
            return f"{self.path!r} is not a path in the root"
        for name in (self.prepared, self.restored):
            if "/" in name or not (name.startswith(".secboot-") and name.endswith(".tmp")):
                return f"{name!r} is not the name of a temporary file"
        return ""


class Record(NamedTuple):
    """The record of a checkpoint. `root` is where the managed tree was on the machine."""

    checkpoint: str
    root: str
    audit: Audit
    files: tuple[SavedFile, ...]

    def to_json(self) -> bytes:
        """The document, ASCII, each file in a line of its own, with a newline at its end."""
        document = codec.document(SCHEMA, self._replace(files=()))
        head = json.dumps(document, indent=2).removesuffix("[]\n}")
        files = ",\n".join(f"    {json.dumps(codec.encode(file))}" for file in self.files)
        return f"{head}[\n{files}\n  ]\n}}\n".encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Read what `to_json` wrote; `DamagedCheckpointError` for anything else."""
        where = "record"
        try:
            return codec.decode(cls, codec.parse_document(data, where, SCHEMA), where)
        except ParseError as error:
            raise DamagedCheckpointError(
                f"the record of the checkpoint is damaged, or another version of secboot wrote it:"
                f" {error.message}"
            ) from error


class Checkpoint(NamedTuple):
    """One checkpoint as it is on the disk. `shown` is the path of its directory for the user."""

    record: Record
    journal: tuple[JournalEntry, ...]
    shown: str

    @property
    def id(self) -> str:
        """The number that names it, as text."""
        return self.record.checkpoint

    @property
    def state(self) -> State:
        """Where its change stands."""
        return state_of(self.journal)


def line_for(checkpoint: Checkpoint) -> str:
    """The line for the system's log: who, what, and how it ended.

    It has ``key=value`` words, with values that hold blanks or quotes in double quotes.
    """
    audit = checkpoint.record.audit
    words = {
        "action": str(audit.action),
        "checkpoint": checkpoint.id,
        "outcome": str(checkpoint.state),
        "root": checkpoint.record.root,
        "profile": audit.profile,
        "profile_digest": audit.profile_digest,
        "undoes": audit.undoes,
        "user": audit.who.user or str(audit.who.uid),
        "sudo_user": audit.who.sudo_user,
        "version": audit.version,
        "zipl": audit.zipl,
        "files": ",".join(file.path for file in checkpoint.record.files),
    }
    return " ".join(f"{key}={_quoted(value)}" for key, value in words.items() if value is not None)


def log_change(checkpoint: Checkpoint) -> None:
    """Send the line for `checkpoint` to the system's log, which the systemd journal reads too."""
    import syslog  # noqa: PLC0415 - only a change needs it

    syslog.openlog("secboot", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, line_for(checkpoint))
    syslog.closelog()


def _quoted(value: str) -> str:
    text = visible(value)
    if text and not any(character in text for character in ' "='):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _user_name(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - may ask the network; only writing commands need a name

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
