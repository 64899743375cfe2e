"""A long history: the checkpoints of many applies that stand, made without running each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.access import WriteAccess, write_access
from secboot.checkpoint.journal import State, now
from secboot.checkpoint.record import (
    Action,
    Actor,
    Audit,
    Checkpoint,
    FileVersion,
    Record,
    SavedFile,
)
from secboot.checkpoint.retention import LIMIT_FILE
from secboot.checkpoint.state_directory import StateDirectory
from secboot.digest import digest
from secboot.system.directory import temporary_name
from secboot.system.files import FileAttributes, FileChange
from secboot.system.root import Root

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/etc/kernel/cmdline"
ATTRIBUTES = FileAttributes(0o644, 0, 0)


def write_checkpoints(directory: Path, count: int, profile_digest: str) -> None:
    """Make the checkpoints of this many applies of ``guest``, and set that all are kept."""
    limit, file = directory / LIMIT_FILE[1:], directory / PATH[1:]
    limit.parent.mkdir(parents=True, exist_ok=True)
    limit.write_text(f"{count}\n")
    with Root(directory) as root, write_access(root, StateDirectory(root)) as access:
        content = file.read_bytes()
        for number in range(1, count + 1):
            after = b"%s quiet=%d\n" % (content.strip(), number)
            _write(access, number, FileChange(PATH, PATH, file.read_bytes(), after), profile_digest)
            file.write_bytes(after)


def _write(access: WriteAccess, number: int, change: FileChange, profile_digest: str) -> None:
    actor = Actor(0, "root", None, "host")
    audit = Audit(
        Action.APPLY, ("secboot",), actor, now(), "1", "guest", profile_digest, left_alone=()
    )
    versions = (_version(change.before or b""), _version(change.after or b""))
    saved = SavedFile(PATH, PATH, *versions, temporary_name(), temporary_name())
    record = Record(str(number), access.root.base, audit, (saved,))
    access.store.create(record, [change])
    journal = access.store.open_journal(Checkpoint(record, (), ""))
    journal.append(State.WRITING)
    journal.append(State.DONE)
    journal.close()


def _version(data: bytes) -> FileVersion:
    return FileVersion(digest(data), len(data), ATTRIBUTES)
