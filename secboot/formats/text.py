"""Texts as all formats here take them: UTF-8 decoded with ``surrogateescape``.

Newlines are not translated, so that bytes which are no UTF-8, carriage returns and a missing
last newline survive; lengths that zipl or the kernel limit are those of the bytes.
"""

from __future__ import annotations

from secboot.errors import RefusedError


def decoded(data: bytes) -> str:
    """Return the text of bytes; `encoded` gives the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes of a text; UnicodeEncodeError for one that never were any."""
    return text.encode("utf-8", "surrogateescape")


def split_lines(text: str) -> list[str]:
    """Split `text` after each newline character, and nowhere else, keeping the newlines.

    Only a newline ends a line for zipl, so `str.splitlines` would be wrong: it also splits
    at carriage returns, form feeds and several Unicode characters. An empty text has no
    lines.
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
    """Raise `RefusedError` unless `value` can stand in one line of `holder`.

    zipl reads C strings from lines, so a newline or a NUL would end it.
    """
    for character, called in (("\n", "a newline"), ("\0", "a NUL character")):
        if character in value:
            raise RefusedError(f"{holder} has no way to write a value with {called}")
    try:
        encoded(value)
    except UnicodeEncodeError:
        message = f"{holder} has no way to write a value that can't be encoded"
        raise RefusedError(message) from None
