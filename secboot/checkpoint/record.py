"""What a checkpoint remembers: who did what, and each file as it was and as it was made.

The record is one JSON document, ``secboot/checkpoint/1``, written before the first file changes.
What happens afterwards is in the journal (`secboot.checkpoint.journal`).
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from secboot.errors import RefusedError
from secboot.named_tuple import NamedTuple
from secboot.system.files import FileAttributes

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
    name of what was applied with `profile_digest` (SHA-256), `undoes` the checkpoint that a
    rollback goes back behind, `zipl` the version of the zipl that is to run.
    """

    action: Action
    command: tuple[str, ...]
    actor: Actor
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
    that the change and its undoing use.
    """

    path: str
    named: str
    before: FileVersion | None
    after: FileVersion | None
    prepared: str
    restored: str


class Record(NamedTuple):
    """The record of a checkpoint. `root` is where the managed tree was on the machine."""

    checkpoint: str
    root: str
    audit: Audit
    files: tuple[SavedFile, ...]

    def to_json(self) -> bytes:
        """The document, ASCII, each file in a line of its own, with a newline at its end."""
        document = {
            "schema": SCHEMA,
            "checkpoint": self.checkpoint,
            "root": self.root,
            "audit": _audit_to_json(self.audit),
            "files": [],
        }
        head = json.dumps(document, indent=2).removesuffix("[]\n}")
        files = ",\n".join(f"    {json.dumps(_file_to_json(file))}" for file in self.files)
        return f"{head}[\n{files}\n  ]\n}}\n".encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Read what `to_json` wrote; `DamagedCheckpointError` for anything else."""
        try:
            document = json.loads(data)
            if document["schema"] != SCHEMA:
                raise DamagedCheckpointError(
                    f"the record is a {document['schema']!r}, not a {SCHEMA!r}: "
                    "another version of secboot wrote it"
                )
            return cls(
                checkpoint=_text(document["checkpoint"]),
                root=_text(document["root"]),
                audit=_audit_from_json(document["audit"]),
                files=tuple(_file_from_json(file) for file in document["files"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedCheckpointError(
                f"the record of the checkpoint is damaged ({type(error).__name__})"
            ) from error


def attributes_to_json(attributes: FileAttributes) -> dict[str, Any]:
    """As ``{"mode": "0644", "uid": 0, "gid": 0, "xattrs": {name: base64}}``."""
    return {
        "mode": f"{attributes.mode:04o}",
        "uid": attributes.uid,
        "gid": attributes.gid,
        "xattrs": {name: b64encode(value).decode("ascii") for name, value in attributes.xattrs},
    }


def attributes_from_json(fields: dict[str, Any]) -> FileAttributes:
    """What `attributes_to_json` wrote. Raises ValueError, KeyError or TypeError."""
    return FileAttributes(
        mode=int(fields["mode"], 8),
        uid=_number(fields["uid"]),
        gid=_number(fields["gid"]),
        xattrs=tuple(
            (_text(name), b64decode(value, validate=True))
            for name, value in sorted(fields["xattrs"].items())
        ),
    )


def _audit_to_json(audit: Audit) -> dict[str, Any]:
    actor = audit.actor
    return {
        "action": audit.action,
        "command": list(audit.command),
        "who": {
            "uid": actor.uid,
            "user": actor.user,
            "sudo_user": actor.sudo_user,
            "host": actor.host,
        },
        "started": audit.started,
        "version": audit.version,
        "profile": audit.profile,
        "profile_digest": audit.profile_digest,
        "zipl": audit.zipl,
        "undoes": audit.undoes,
    }


def _audit_from_json(fields: dict[str, Any]) -> Audit:
    who = fields["who"]
    return Audit(
        action=Action(fields["action"]),
        command=tuple(_text(word) for word in fields["command"]),
        actor=Actor(
            _number(who["uid"]),
            _optional(who["user"]),
            _optional(who["sudo_user"]),
            _text(who["host"]),
        ),
        started=_text(fields["started"]),
        version=_text(fields["version"]),
        profile=_optional(fields["profile"]),
        profile_digest=_optional(fields["profile_digest"]),
        zipl=_optional(fields["zipl"]),
        undoes=_optional(fields["undoes"]),
    )


def _file_to_json(file: SavedFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "named": file.named,
        "before": _version_to_json(file.before),
        "after": _version_to_json(file.after),
        "prepared": file.prepared,
        "restored": file.restored,
    }


def _file_from_json(fields: dict[str, Any]) -> SavedFile:
    path = _text(fields["path"])
    if not path.startswith("/"):
        raise ValueError(path)
    return SavedFile(
        path=path,
        named=_text(fields["named"]),
        before=_version_from_json(fields["before"]),
        after=_version_from_json(fields["after"]),
        prepared=_name(fields["prepared"]),
        restored=_name(fields["restored"]),
    )


def _version_to_json(version: FileVersion | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "digest": version.digest,
        "size": version.size,
        "attributes": attributes_to_json(version.attributes),
    }


def _version_from_json(fields: dict[str, Any] | None) -> FileVersion | None:
    if fields is None:
        return None
    return FileVersion(
        _text(fields["digest"]),
        _number(fields["size"]),
        attributes_from_json(fields["attributes"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _name(value: object) -> str:
    """A temporary file's name: only such files are ever removed on a record's word."""
    name = _text(value)
    if "/" in name or not (name.startswith(".secboot-") and name.endswith(".tmp")):
        raise ValueError(name)
    return name


def _user_name(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - may ask the network; only writing commands need a name

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
