"""The record of a checkpoint: who did what, and each file before and after the change.

The record is one JSON document, ``secboot/checkpoint/2``, written before the first file changes. Its
last key is its checksum. What happens afterwards is in the journal (`secboot.checkpoint.journal`).

A record that is read must be one that `to_json` can have written, because it decides which files are
restored and which are removed.
"""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot import codec
from secboot.checkpoint.checksum import DamagedCheckpointError, checked, with_checksum
from secboot.checkpoint.journal import JournalEntry, State, is_moment, state_of
from secboot.checkpoint.settings import Setting
from secboot.errors import ParseError
from secboot.named_tuple import NamedTuple
from secboot.system.files import FILE_LIMIT, FileAttributes
from secboot.system.root import parents

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "secboot/checkpoint/2"
FIRST_SCHEMA = "secboot/checkpoint/1"
"""The schema of secboot 0.1.0, whose records and journals have no checksum over the whole."""

_PROGRAM = "secboot"
_MARK = b',\n  "checksum": "'
_END = b'"\n}\n'
_ID = re.compile("[1-9][0-9]{0,8}", re.ASCII)
_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)
_TEMPORARY = re.compile(r"\.secboot-[0-9a-f]{16}\.tmp", re.ASCII)


class Action(StrEnum):
    """Which command made the checkpoint."""

    INIT = "init"
    APPLY = "apply"
    FIX = "fix"
    ROLLBACK = "rollback"


class Actor(NamedTuple):
    """Who ran secboot, and where: user ID and name, the user who called sudo, the host name."""

    uid: int
    user: str | None
    sudo_user: str | None
    host: str

    @classmethod
    def current(cls, environment: Mapping[str, str] = os.environ) -> Actor:
        """Return the actor of this process; ``SUDO_USER`` is used only for root, for whom sudo sets it."""
        uid = os.getuid()
        sudo_user = environment.get("SUDO_USER") if uid == 0 else None
        return cls(uid, _user_name(uid), sudo_user, os.uname().nodename)


class Trial(NamedTuple):
    """What a change tries for one IPL: a separate boot entry, with the line of a profile.

    `entry` is the name of the boot entry, `number` its number in the boot menu, `line` its parameter
    line. It is a copy of the boot entry `default`, whose line is `default_line`. `profile_path` and
    `profile_text` belong to the profile that is tried; extended profiles are found by name. `boot` is
    the boot in which the trial was prepared; empty for a tree that is not the running system.
    """

    entry: str
    number: int
    line: str
    default: str
    default_line: str
    profile_path: str
    profile_text: str
    boot: str = ""

    def flaw(self) -> str:
        """Return what no trial that secboot writes has; empty if there is nothing."""
        return "" if self.number in range(1, 100) else f"has the number {self.number}"


class Audit(NamedTuple):
    """Why the files were changed.

    `command` is the argument list of secboot, `started` a time in RFC 3339 (UTC). `profile` is the name
    of the applied profile, `profile_digest` its SHA-256 digest. `undoes` is the checkpoint that is
    rolled back, `zipl` the version of zipl that is to run. `left_alone` are the files of the boot
    entries that did not change; None if that was not recorded. `problems` are the problems of the files
    before the change. `parmfile` is the one that the profile names, if any. `trial` is what the change
    tries, and `confirms` the checkpoint whose trial it makes permanent. `words` are the arguments of
    ``secboot set``, which replace a profile.
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
    left_alone: tuple[str, ...] | None = None
    parmfile: str | None = None
    problems: tuple[str, ...] = ()
    trial: Trial | None = None
    confirms: str | None = None
    words: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What the change was, as in ``apply guest``, ``trial of guest`` and ``rollback of 3``."""
        if self.undoes is not None:
            return f"{self.action} of {self.undoes}"
        if self.confirms is not None:
            return f"confirm of {self.confirms}"
        named = f"set {' '.join(self.words)}" if self.words else self.profile
        if self.trial is not None:
            return f"trial of {named}"
        if self.words or named is None:
            return named or str(self.action)
        return f"{self.action} {named}"

    def flaw(self) -> str:
        """Return what no record that secboot writes has; empty if there is nothing."""
        if not is_moment(self.started) or self.command[:1] != (_PROGRAM,):
            return "has no valid time in UTC, or the command of another program"
        if (self.action is Action.ROLLBACK) != (self.undoes is not None):
            return f"is '{self.action}' but undoes {self.undoes!r}"
        for number in filter(None, (self.undoes, self.confirms)):
            if not is_id(number):
                return f"undoes or confirms {number!r}, which is not a checkpoint ID"
        if self.profile_digest is not None and not _DIGEST.fullmatch(self.profile_digest):
            return "has the digest of a profile, but no profile"
        if self.parmfile is not None and not _is_plain(self.parmfile):
            return f"names the parmfile {self.parmfile!r}, which is not a path in the root"
        return ""


class FileVersion(NamedTuple):
    """A file at one time: SHA-256 digest and size of its bytes, and its attributes."""

    digest: str
    size: int
    attributes: FileAttributes

    def flaw(self) -> str:
        """Return what no version of a file has; empty if there is nothing."""
        if not _DIGEST.fullmatch(self.digest) or self.size not in range(FILE_LIMIT + 1):
            return "has no valid digest and size"
        return ""


class SavedFile(NamedTuple):
    """One file of a change. None stands for "no such file".

    `path` is the real path in the root, `named` the path by which it was reached (a symbolic link, or
    the same path). `prepared` and `restored` are the names of the temporary files that the change and
    its rollback use, in the same directory.
    """

    path: str
    named: str
    before: FileVersion | None
    after: FileVersion | None
    prepared: str
    restored: str

    def flaw(self) -> str:
        """Return what no record that secboot writes has: only temporary files of secboot may be removed."""
        for path in (self.path, self.named):
            if not _is_plain(path):
                return f"{path!r} is not a path in the root"
        for name in (self.prepared, self.restored):
            if not _TEMPORARY.fullmatch(name):
                return f"{name!r} is not the name of a temporary file"
        if _TEMPORARY.fullmatch(self.path.rpartition("/")[2]):
            return f"{self.path!r} is a temporary file"
        if (self.before and self.before.digest) == (self.after and self.after.digest):
            return f"{self.path!r} does not change"
        return ""


def _is_plain(path: str) -> bool:
    """Whether a path is absolute and has no empty part, ``.`` or ``..``."""
    names = path.split("/")
    return (
        "\0" not in path
        and names[0] == ""
        and len(names) > 1
        and not {"", ".", ".."} & set(names[1:])
    )


class Record(NamedTuple):
    """The record of a checkpoint. `root` is the path of the managed tree on the machine.

    `directories` were created for the files; they are removed with them if they are empty then.
    """

    checkpoint: str
    root: str
    audit: Audit
    files: tuple[SavedFile, ...]
    settings: tuple[Setting, ...] = ()
    directories: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the document in ASCII, with each file on a separate line, and a final newline."""
        document = codec.document(SCHEMA, self._replace(files=()))
        document["files"] = document.pop("files")
        head = json.dumps(document, indent=2).removesuffix("[]\n}")
        files = ",\n".join(f"    {json.dumps(codec.encode(file))}" for file in self.files)
        text = f"{head}[\n{files}\n  ]".encode("ascii")
        return with_checksum(text, self.checkpoint, _MARK, _END)

    @classmethod
    def from_json(cls, data: bytes, checkpoint: str) -> Record:
        """Read the record of `checkpoint`, as `to_json` or secboot 0.1.0 wrote it.

        Raises DamagedCheckpointError for anything else.
        """
        schema = FIRST_SCHEMA if checked(data, checkpoint, _MARK, _END) is None else SCHEMA
        try:
            record = codec.decode(cls, codec.parse_document(data, "record", schema), "record")
        except ParseError as error:
            raise DamagedCheckpointError(
                f"damaged, or written by another version of secboot: {error.message}"
            ) from error
        if record.checkpoint != checkpoint:
            raise DamagedCheckpointError("it belongs to another checkpoint")
        return record

    def flaw(self) -> str:
        """Return what no record that secboot writes has; empty if there is nothing."""
        others = filter(None, (self.audit.undoes, self.audit.confirms))
        if not is_id(self.checkpoint) or any(int(x) >= int(self.checkpoint) for x in others):
            return "has an invalid checkpoint number"
        if not (self.files or self.settings):
            return "changes nothing"
        if self.audit.words and (self.audit.profile or self.audit.action is not Action.APPLY):
            return "has both words and a profile"
        names = [name for file in self.files for name in (file.prepared, file.restored)]
        paths = {file.path for file in self.files}
        if len(paths) < len(self.files) or len(set(names)) < len(names):
            return "names a file twice"
        above = {parent for path in paths for parent in parents(path)}
        if not above.issuperset(self.directories):
            return "has a directory that contains none of its files"
        return ""


def is_id(text: str) -> bool:
    """Whether a string can be the ID of a checkpoint: a number from 1 on, without leading zeros."""
    return _ID.fullmatch(text) is not None


def is_first(data: bytes) -> bool:
    """Whether a readable record was written by secboot 0.1.0."""
    return _MARK not in data


class Checkpoint(NamedTuple):
    """One checkpoint as it is on the disk. `shown` is the path of its directory as the user sees it."""

    record: Record
    journal: tuple[JournalEntry, ...]
    shown: str

    @property
    def id(self) -> str:
        """Its number, as a string."""
        return self.record.checkpoint

    @property
    def state(self) -> State:
        """The state of its change."""
        return state_of(self.journal)

    @property
    def failure(self) -> str | None:
        """Why the change was rolled back, or must be; None if it did not fail."""
        reasons = [entry.facts.get("reason") for entry in self.journal]
        found = next((reason for reason in reasons if reason), None)
        return None if found is None or self.state is State.DONE else str(found)

    @property
    def rollback_failure(self) -> str | None:
        """Why the rollback of the change failed; None if it did not, or succeeded since."""
        if self.state is not State.STUCK:
            return None
        return str(self.journal[-1].facts.get("reason", ""))


def _user_name(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - may query the network; only writing commands need a name

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
