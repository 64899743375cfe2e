"""By what damage is noticed: a checksum over the whole of each file that secboot keeps for itself.

Such a file is only ever replaced as a whole (`OpenDirectory.replace`), so a crash leaves the old one
or the new one. What does not match its checksum was changed by something else, be it a disk or a
person, and is not acted upon. The checksum covers which checkpoint the file belongs to, so the file of
another one does not match either. It protects against damage, not against somebody who may write
here: that is root alone (`StateDirectory`).
"""

from __future__ import annotations

from secboot.digest import digest
from secboot.errors import RefusedError


class DamagedCheckpointError(RefusedError):
    """A checkpoint is damaged, or was written by another version of secboot."""


def checksum(data: bytes, checkpoint: str) -> str:
    """SHA-256 of what a file of `checkpoint` holds, in hexadecimal."""
    return digest(f"{checkpoint}\n".encode("ascii", "replace") + data)


def with_checksum(data: bytes, checkpoint: str, mark: bytes, end: bytes) -> bytes:
    """Return `data` with `mark`, its checksum, and `end` after it."""
    return data + mark + checksum(data, checkpoint).encode("ascii") + end


def checked(data: bytes, checkpoint: str, mark: bytes, end: bytes) -> bytes | None:
    """Return what `with_checksum` was given; None for bytes without any mark, of secboot 0.1.0.

    Raises DamagedCheckpointError when the checksum does not match.
    """
    inner, found, rest = data.rpartition(mark)
    if not found:
        return None
    if rest != checksum(inner, checkpoint).encode("ascii") + end:
        raise DamagedCheckpointError("its content does not match its checksum")
    return inner
