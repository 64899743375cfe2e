"""Text as all formats here use it: UTF-8 decoded with ``surrogateescape``.

Newlines are not translated, so that bytes that are not UTF-8, carriage returns and a missing
final newline survive. Length limits of zipl or the kernel apply to the bytes.
"""

from __future__ import annotations

from secboot.errors import RefusedError


def decoded(data: bytes) -> str:
    """Decode bytes; `encoded` returns the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Encode a text. Raises UnicodeEncodeError if it can't have come from `decoded`."""
    return text.encode("utf-8", "surrogateescape")


def split_lines(text: str) -> list[str]:
    """Split `text` after each newline character, and nowhere else, keeping the newlines.

    For zipl, only a newline ends a line, so `str.splitlines` would be wrong: it also splits at
    carriage returns, form feeds and several Unicode characters. An empty text has no lines.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    if not lines[-1]:
        lines.pop()
    return lines


def byte_length(text: str) -> int:
    """Return the length of `text` in bytes."""
    return len(encoded(text))


def require_one_line(value: str, holder: str) -> None:
    """Raise `RefusedError` unless `value` fits on one line of `holder`.

    zipl reads C strings from lines, so a newline or a NUL would end the value.
    """
    for character, called in (("\n", "a newline"), ("\0", "a NUL character")):
        if character in value:
            raise RefusedError(f"{holder} cannot hold a value with {called}")
    try:
        encoded(value)
    except UnicodeEncodeError:
        message = f"{holder} cannot hold a value that can't be encoded as UTF-8"
        raise RefusedError(message) from None
