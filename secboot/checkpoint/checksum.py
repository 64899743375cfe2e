"""How damage is detected: a checksum over the whole of each file that secboot keeps for itself.

Such a file is only replaced as a whole (`OpenDirectory.replace`), so a crash leaves the old one or the
new one. A file that does not match its checksum was changed by something else, a failing disk or a
person, and is not acted upon. The checksum covers the ID of the checkpoint, so the file of another
checkpoint does not match either. It protects against damage, not against somebody who can write here:
only root can (`StateDirectory`).
"""

from __future__ import annotations

from secboot.digest import digest
from secboot.errors import RefusedError


class DamagedCheckpointError(RefusedError):
    """A checkpoint is damaged, or another version of secboot wrote it."""


def checksum(data: bytes, checkpoint: str) -> str:
    """Return the SHA-256 digest of the content of a file of `checkpoint`, in hexadecimal."""
    return digest(f"{checkpoint}\n".encode("ascii", "replace") + data)


def with_checksum(data: bytes, checkpoint: str, mark: bytes, end: bytes) -> bytes:
    """Return `data`, followed by `mark`, its checksum, and `end`."""
    return data + mark + checksum(data, checkpoint).encode("ascii") + end


def checked(data: bytes, checkpoint: str, mark: bytes, end: bytes) -> bytes | None:
    """Return what `with_checksum` got; None for bytes without a mark, which secboot 0.1.0 wrote.

    Raises DamagedCheckpointError if the checksum does not match.
    """
    inner, found, rest = data.rpartition(mark)
    if not found:
        return None
    if rest != checksum(inner, checkpoint).encode("ascii") + end:
        raise DamagedCheckpointError("its content does not match its checksum")
    return inner
