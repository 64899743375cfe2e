"""The SHA-256 digest by which a file's content is known again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
else:
    # `hashlib` loads OpenSSL, which takes as long as reading a machine. The module that implements it
    # does not, as Python's own `random` uses it; a Python built without that module has `hashlib`.
    try:
        from _sha2 import sha256  # Python 3.12
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256


def digest(data: bytes) -> str:
    """Return the SHA-256 digest of `data` in hexadecimal."""
    return sha256(data).hexdigest()
