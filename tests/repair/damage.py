"""Damage boot files that zipl accepts, in ways that can be repaired without a guess.

Each kind takes a text and a random source for the place, and returns the damaged text, or None if
the text has no such place. A kind that adds to a parameter line adds `ADDED`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from secboot.formats.text import split_lines
from secboot.formats.zipl_line import LineKind, Quoting, parse_line

ADDED = "swiotlb=262144"
Damage = Callable[[str, Random], str | None]


def _some(lines: Sequence[str], random: Random, fits: Callable[[str], object]) -> int | None:
    """The number of one of the lines that match."""
    found = [number for number, line in enumerate(lines) if fits(line)]
    return random.choice(found) if found else None


def _replaced(text: str, number: int | None, *others: str) -> str | None:
    if number is None:
        return None
    lines = split_lines(text)
    return "".join([*lines[:number], *others, *lines[number + 1 :]])


def _quoted_parameters(line: str) -> re.Match[str] | None:
    """A quoted parameter line with several words, without quotes or comments in them."""
    return re.fullmatch(
        r"""([ \t]*parameters[ \t]*=[ \t]*)(["'])([\w./=,-]+(?: [\w./=,-]+)+)\2([ \t]*\n)""", line
    )


def windows_line_ends(text: str, _: Random) -> str | None:
    return text.replace("\n", "\r\n")


def byte_order_mark(text: str, _: Random) -> str | None:
    return f"\ufeff{text}"


def trailing_comment(text: str, random: Random) -> str | None:
    def fits(line: str) -> bool:
        read = parse_line(line)
        is_quoted = read.value is not None and read.value.quoting is not Quoting.NONE
        return read.kind in {LineKind.SECTION, LineKind.FLAG} or is_quoted

    lines = split_lines(text)
    number = _some(lines, random, fits)
    return (
        number if number is None else _replaced(text, number, f"{lines[number].rstrip()} # a=b\n")
    )


def comment_in_value(text: str, random: Random) -> str | None:
    def fits(line: str) -> bool:
        read = parse_line(line)
        return read.position is not None or read.keyword in {"prompt", "timeout"}

    lines = split_lines(text)
    number = _some(lines, random, fits)
    return None if number is None else _replaced(text, number, f"{lines[number].rstrip()} # a\n")


def words_behind_quote(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _some(lines, random, _quoted_parameters)
    if number is None or (found := _quoted_parameters(lines[number])) is None:
        return None
    words = found[3].split()
    inside = random.randrange(1, len(words))
    kept, rest = " ".join(words[:inside]), " ".join(words[inside:])
    return _replaced(text, number, f"{found[1]}{found[2]}{kept}{found[2]} {rest}\n")


def open_quote(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _some(lines, random, _quoted_parameters)
    if number is None or (found := _quoted_parameters(lines[number])) is None:
        return None
    return _replaced(text, number, f"{found[1]}{found[2]}{found[3]}{found[4]}")


def broken_line(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _some(lines, random, _quoted_parameters)
    if number is None or (found := _quoted_parameters(lines[number])) is None:
        return None
    end = random.choice(("\n  ", " \\\n  ", "\n"))
    broken = end.join(found[3].split())
    return _replaced(text, number, f"{found[1]}{found[2]}{broken}{found[2]}{found[4]}")


def repeated_section(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    starts = [n for n, line in enumerate(lines) if line.lstrip().startswith(("[", ":"))]
    if not starts or not text.endswith("\n"):
        return None
    start = random.choice(starts)
    end = next((n for n in starts if n > start), len(lines))
    return "".join([*lines, *lines[start:end]])


def repeated_assignment(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _some(lines, random, lambda line: parse_line(line).value is not None)
    if number is None or not lines[number].endswith("\n"):
        return None
    return _replaced(text, number, lines[number], lines[number])


def foreign_comment(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = random.randrange(len(lines) + 1)
    return "".join([*lines[:number], "; by hand\n", *lines[number:]]) if lines else None


def capitals(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _some(lines, random, lambda line: parse_line(line).keyword is not None)
    if number is None:
        return None
    keyword = parse_line(lines[number]).keyword or ""
    other = random.choice((keyword.upper(), keyword.capitalize()))
    return _replaced(text, number, lines[number].replace(keyword, other, 1))


def lost_kdump_value(text: str, _: Random) -> str | None:
    damaged = re.sub(r"(?m)^([ \t]*kdump)[ \t]*=.*$", r"\1", text, count=1)
    return None if damaged == text else damaged


def appended_parameter(text: str, _: Random) -> str | None:
    return f"{text}{ADDED}\n" if text.endswith("\n") else None


def inserted_parameter(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = random.randrange(len(lines) + 1)
    word = random.choice((ADDED, f'"{ADDED}"', f"  {ADDED} # as the guide says"))
    return "".join([*lines[:number], f"{word}\n", *lines[number:]])


CONF: Mapping[str, Damage] = {
    each.__name__: each
    for each in (
        windows_line_ends,
        byte_order_mark,
        trailing_comment,
        comment_in_value,
        words_behind_quote,
        open_quote,
        broken_line,
        repeated_section,
        repeated_assignment,
        foreign_comment,
        capitals,
        lost_kdump_value,
        appended_parameter,
        inserted_parameter,
    )
}
"""The kinds of damage to zipl.conf, by name."""


def _options(lines: Sequence[str]) -> int | None:
    return next((n for n, line in enumerate(lines) if line.startswith("options ")), None)


def two_options(text: str, random: Random) -> str | None:
    lines = split_lines(text)
    number = _options(lines)
    if number is None or '"' in lines[number] or "\r" in lines[number]:
        return None
    words = lines[number].removeprefix("options ").strip(" \t\n").split(" ")
    if len(words) < 2 or "" in words or "#" in words:
        return None
    first = random.randrange(1, len(words))
    return _replaced(
        text, number, f"options {' '.join(words[:first])}\n", f"options {' '.join(words[first:])}\n"
    )


def same_options(text: str, _: Random) -> str | None:
    lines = split_lines(text)
    number = _options(lines)
    return None if number is None else _replaced(text, number, lines[number], lines[number])


def comment_above_title(text: str, _: Random) -> str | None:
    return f"# Written by hand.\n{text}"


def title_at_end(text: str, _: Random) -> str | None:
    lines = split_lines(text)
    return "".join([*lines[1:], lines[0]]) if text.startswith("title") else None


def two_titles(text: str, _: Random) -> str | None:
    lines = split_lines(text)
    return "".join([lines[0], *lines]) if text.startswith("title") else None


def indented_title(text: str, _: Random) -> str | None:
    return f"  {text}" if text.startswith("title") else None


def key_without_value(text: str, random: Random) -> str | None:
    key = random.choice(("grub_class", "machine-id", "sort-key"))
    return f"{text}{key}\n" if text.endswith("\n") else None


def parameter_in_entry(text: str, _: Random) -> str | None:
    return f"{text}{ADDED}\n" if text.endswith("\n") else None


ENTRY: Mapping[str, Damage] = {
    each.__name__: each
    for each in (
        windows_line_ends,
        byte_order_mark,
        foreign_comment,
        two_options,
        same_options,
        comment_above_title,
        title_at_end,
        two_titles,
        indented_title,
        key_without_value,
        parameter_in_entry,
    )
}
"""The kinds of damage to a BLS entry, by name."""
