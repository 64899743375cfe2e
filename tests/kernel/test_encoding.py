from __future__ import annotations

import pytest

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.encoding import require_editable, unreadable


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a=é", 3, "'é' (U+00E9)"),
        ("\ufeffa", 1, "(U+FEFF)"),
        ("a\udcff", 2, "the byte 0xFF"),
        ("a\xa0b", 2, "(U+00A0)"),
        ("ab\0c", 3, "NUL"),
    ],
)
def test_what_the_kernel_takes_for_ebcdic_or_for_the_end(
    text: str, column: int, words: str
) -> None:
    problem = unreadable(text)

    assert problem is not None
    assert problem.column == column
    assert words in problem.reason


def test_ascii_is_readable_control_characters_included() -> None:
    assert unreadable("".join(map(chr, range(1, 128)))) is None


@pytest.mark.parametrize("text", ['a="b', '"', "a=é", "a\0"])
def test_such_lines_and_open_quotes_are_not_edited(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        require_editable(CommandLine.parse(text))

    assert caught.value.hint


def test_other_lines_are() -> None:
    require_editable(CommandLine.parse('a="b c" d'))
