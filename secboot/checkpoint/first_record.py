"""Whether a record of secboot 0.1.0, which has no checksum, is as it was written.

The other files of the checkpoint confirm it. The archives of its files have checksums of their own, and
repeat path, content, mode and owner of each file. No change alters extended attributes. What a rollback
wrote is what the change that it undid had found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.archive import members
from secboot.checkpoint.record import FileVersion
from secboot.digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.checkpoint.archive import Member
    from secboot.checkpoint.record import Record


def is_borne_out(record: Record, before: bytes, after: bytes | None) -> bool:
    """Whether the archives of the old and the new files agree with the record.

    The archive of the new files was never synced to the disk, and may be missing or truncated after a
    crash. Then nothing confirms a file that the change created.
    """
    saved = {file.path: plain(file.before) for file in record.files if file.before is not None}
    made = {file.path: plain(file.after) for file in record.files if file.after is not None}
    new = members(after) if after is not None else None
    return (
        held(members(before) or ()) == saved
        and (held(new) == made if new else made.keys() <= saved.keys())
        and all(
            file.before.attributes.xattrs == file.after.attributes.xattrs
            for file in record.files
            if file.before is not None and file.after is not None
        )
    )


def is_undone_by(undone: Record, record: Record) -> bool:
    """Whether a rollback wrote what the change that it undoes had found."""
    found = {file.path: file.before and file.before.digest for file in undone.files}
    return all(
        file.path in found and found[file.path] == (file.after and file.after.digest)
        for file in record.files
    )


def held(found: Iterable[Member]) -> dict[str, FileVersion]:
    """Return the files of an archive by their paths."""
    return {
        member.path: FileVersion(digest(member.data), len(member.data), member.attributes)
        for member in found
    }


def plain(version: FileVersion) -> FileVersion:
    """Return a version without extended attributes, as an archive holds it."""
    return version._replace(attributes=version.attributes._replace(xattrs=()))
