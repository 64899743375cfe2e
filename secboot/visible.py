"""Text from files and names, made safe to show on a terminal.

Paths and file contents can contain terminal escapes, newlines and bytes that are not UTF-8. Every message
and report passes them through `visible`, so that none of these reaches a terminal.
"""

from __future__ import annotations

_SURROGATE_ESCAPED = range(0xDC80, 0xDD00)


def visible(text: str) -> str:
    r"""Return `text` with every character that is not printable as an escape.

    `str.isprintable` decides: letters, marks, digits, punctuation and the plain space are printable. A
    byte that is not UTF-8 (held by ``surrogateescape``) becomes ``\xNN``, other characters become ``\n``,
    ``\t``, ``\r``, ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``, also direction overrides and other invisible
    format characters. A backslash stays as it is: the result is for reading, not for parsing.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def visible_lines(text: str) -> str:
    """Return `text` like `visible`, but keep its line breaks."""
    return "\n".join(map(visible, text.split("\n")))


def shell_word(text: str) -> str:
    """Return `text` as one word of a shell, for a command that the user can type."""
    if text.isprintable():
        import shlex  # noqa: PLC0415 - only needed for messages

        return shlex.quote(text)
    # $'...' of bash, ksh and POSIX.1-2024.
    data = text.encode("utf-8", "surrogateescape")
    return "$'" + "".join(f"\\{byte:03o}" for byte in data) + "'"


def _escape(character: str) -> str:
    if ord(character) in _SURROGATE_ESCAPED:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
