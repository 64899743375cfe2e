"""Text from files and names, made safe to show to a person.

Paths and file contents can hold terminal escapes, newlines and bytes that are no UTF-8.
Every message and report passes them through `visible`, so that none reaches a terminal raw.
"""

from __future__ import annotations

_SURROGATE_ESCAPED = range(0xDC80, 0xDD00)


def visible(text: str) -> str:
    r"""`text` with every character that is not printable written as an escape.

    Printable is what `str.isprintable` says: letters, marks, digits, punctuation and the plain
    space. A byte that was no UTF-8 (held by ``surrogateescape``) is written ``\xNN``, other
    characters ``\n``, ``\t``, ``\r``, ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``; the same goes for
    direction overrides and other invisible format characters. A backslash stays as it is: the
    result is to be read, not to be parsed.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def visible_lines(text: str) -> str:
    """`text` as `visible` has it, but its lines stay lines."""
    return "\n".join(map(visible, text.split("\n")))


def shell_word(text: str) -> str:
    """`text` as one word of a shell, for a command that is shown to be typed."""
    if text.isprintable():
        import shlex  # noqa: PLC0415 - for those who have something to say to their user

        return shlex.quote(text)
    # $'...' of bash, ksh and POSIX.1-2024.
    data = text.encode("utf-8", "surrogateescape")
    return "$'" + "".join(f"\\{byte:03o}" for byte in data) + "'"


def _escape(character: str) -> str:
    if ord(character) in _SURROGATE_ESCAPED:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
