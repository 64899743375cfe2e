"""Which parameter lines the kernel can read at all, and which secboot is willing to edit.

``setup_boot_command_line()`` in the kernel's ``arch/s390/boot/ipl_parm.c`` takes a line in
which any byte is above 0x7f for EBCDIC and converts the whole of it: a single accented letter
turns every parameter into rubbish. A NUL byte ends the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine


class Unreadable(NamedTuple):
    """Why a line can't be judged or edited; `column` is where, in characters from 1."""

    reason: str
    hint: str
    column: int


def unreadable(text: str) -> Unreadable | None:
    """Tell what makes the kernel misread this line as a whole, or None if nothing does.

    `text` is a line decoded as UTF-8 with surrogate escapes: a stray byte counts like any
    other character that isn't ASCII.
    """
    if text.isascii() and "\0" not in text:
        return None
    for column, character in enumerate(text, start=1):
        if character == "\0":
            return Unreadable(
                f"there is a NUL byte in column {column}: the kernel's line ends there",
                "remove the NUL byte",
                column,
            )
        if character > "\x7f":
            return Unreadable(
                f"{_name(character)} in column {column} isn't ASCII: the kernel would take "
                "the whole line for EBCDIC and read none of it",
                "write the line with ASCII characters only",
                column,
            )
    return None


def require_editable(line: CommandLine) -> None:
    """Refuse to edit a line whose meaning an edit can't be sure of.

    Raises RefusedError for a line that the kernel can't read, and for one that ends inside a
    double quote: whatever is joined to it at boot becomes part of the quoted text.
    """
    problem = unreadable(line.text)
    if problem:
        raise RefusedError(problem.reason, hint=problem.hint)
    if line.unterminated_quote:
        last = line.parameters[-1].text if line.parameters else '"'
        raise RefusedError(
            f"a double quote is opened but never closed, in {last}",
            hint="close the quote: everything up to the end of the line is part of that value",
        )


def _name(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02X}"
    return f"the character {character!r} (U+{code:04X})"
