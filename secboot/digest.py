"""The SHA-256 digest that identifies the content of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
else:
    # `hashlib` loads OpenSSL, which takes as long as reading a machine. The built-in module does not,
    # and Python's `random` uses it, too; a Python that was built without it has `hashlib`.
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
