"""Repair lines of zipl.conf that zipl's scanner refuses, and that have only one possible meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_line import ConfLine, Keyword, LineKind, Quoting, parse_line
from secboot.repair.edit import Damaged, Edit, Repair, replaced

if TYPE_CHECKING:
    from secboot.finding import Finding

_OPENED = re.compile(r"""([ \t]*([a-z]+)[ \t]*=[ \t]*)(["'])(.*)""", re.DOTALL)
"""A value that starts with a quote: the text before it, the keyword, the quote, the rest."""
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*(?:=[^ \t]*)?", re.ASCII)
_COMMENT = re.compile(r"[ \t]*#")
_NAME = re.compile(r"[ \t]*([A-Za-z]+)")
_QUOTES = ('"', "'")
_OWN_LINE = "move the comment to its own line"
_NUMBERS = {Keyword.PROMPT, Keyword.TIMEOUT}
_ONLY_VALUES = {Keyword.KDUMP: "auto"}
"""Keywords for which zipl accepts only one value (job.c, get_job_from_section_data)."""


def refused_line(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Repair one line that the scanner refuses."""
    line = damaged.conf_line(finding)
    if line is None or line.problem is None:
        return None
    for rule in (_foreign_comment, _comment, _letter_case, _no_value, _words_behind, _no_end):
        made = rule(damaged, line)
        if made is not None:
            return made
    return None


def comment_in_value(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Move a comment out of a value: zipl.conf has comments only on lines of their own.

    No number, and no name of a section, contains a blank and a '#'; another value can.
    """
    line = damaged.conf_line(finding)
    if line is None or line.value is None or line.value.quoting is not Quoting.NONE:
        return None
    found = re.search(r"[ \t]+#", line.body)
    if found is None or line.keyword is Keyword.PARAMETERS:
        return None
    is_number = line.keyword in _NUMBERS or finding.code == "zipl.menu-default"
    if not is_number and line.position is None:
        return "zipl reads '#' as part of the value: move a comment to its own line"
    head, comment = line.body[: found.start()], line.body[found.start() :].strip(" \t")
    return _with_comment(damaged, line, head, comment, _OWN_LINE)


def _foreign_comment(damaged: Damaged, line: ConfLine) -> Repair | None:
    """In other systems' files a semicolon starts a comment."""
    before = line.text[: line.column - 1]
    if not line.text.startswith(";", line.column - 1):
        return None
    text = f"{before}#{line.text[line.column :]}"
    return _replacement(damaged, line, "replace ';' with '#', which starts comments in zipl", text)


def _comment(damaged: Damaged, line: ConfLine) -> Repair | str | None:
    """A comment after a statement is moved to a line of its own above it."""
    for found in _COMMENT.finditer(line.body):
        head, comment = line.body[: found.start()], line.body[found.start() :].strip(" \t")
        read = parse_line(head)
        if read.kind in {LineKind.REFUSED, LineKind.BLANK}:
            continue
        if any(quote in comment for quote in _QUOTES):
            return "the text after '#' has a quote: it could be a comment or part of the value"
        return _with_comment(damaged, line, head, comment, _OWN_LINE)
    return None


def _letter_case(damaged: Damaged, line: ConfLine) -> Repair | None:
    """Keywords must be in lower case."""
    found = _NAME.match(line.body)
    if found is None or found[1].islower() or found[1].lower() not in set(Keyword):
        return None
    start, end = found.span(1)
    text = line.text[:start] + found[1].lower() + line.text[end:]
    if parse_line(text).keyword != found[1].lower():
        return None
    return _replacement(damaged, line, f"write '{found[1].lower()}' instead of '{found[1]}'", text)


def _no_value(damaged: Damaged, line: ConfLine) -> Repair | str | None:
    word = line.body.strip(" \t")
    if word not in set(Keyword):
        return None
    value = _ONLY_VALUES.get(Keyword(word))
    if value is None:
        return f"'{word}' has no value, and several are possible"
    text = line.text.replace(word, f"{word}={value}", 1)
    action = f"write '{word}={value}': zipl accepts no other value"
    return _replacement(damaged, line, action, text)


def _words_behind(damaged: Damaged, line: ConfLine) -> Repair | str | None:
    """Words after the closing quote of a parameter line are moved inside."""
    opened = _OPENED.fullmatch(line.body)
    if opened is None or line.problem is None or "trailing" not in line.problem.code:
        return None
    before, keyword, quote, rest = opened.groups()
    inside, _, behind = rest.partition(quote)
    words, mark, comment = behind.partition(" #")
    if keyword != Keyword.PARAMETERS:
        return f"'{keyword}' accepts a single value, but more text follows its closing quote"
    if any(each in behind for each in _QUOTES[: 1 + (quote == "'")] if each == quote):
        return "the line has more quotes, so its meaning is ambiguous"
    if CommandLine.parse(inside).unterminated_quote:
        return "a double quote inside the value is not closed, and could end in several places"
    if not words.startswith((" ", "\t")) or not all(map(_WORD.fullmatch, words.split())):
        return "the meaning of the text after the closing quote is ambiguous"
    head = f"{before}{quote}{' '.join([inside.rstrip(' '), *words.split()]).lstrip()}{quote}"
    action = "move the words after the closing quote inside the quotes"
    return _with_comment(damaged, line, head, f"#{comment}" if mark else "", action)


def _no_end(damaged: Damaged, line: ConfLine) -> Repair | str | None:
    """A quote that is not closed ends with its line, or on a continuation line that has a quote."""
    opened = _OPENED.fullmatch(line.body)
    if opened is None or line.problem is None or line.problem.code != "zipl.unterminated-quotes":
        return None
    before, keyword, quote, rest = opened.groups()
    value = rest.rstrip(" \t")
    more = _goes_on(damaged, line, quote)
    doubt = _other_end(keyword, quote, value, more)
    if doubt is not None:
        return doubt
    if more:
        parts = [value, *(each.body for each in more)]
        joined = " ".join(part.strip(" \t").removesuffix("\\").strip(" \t") for part in parts)
        last = more[-1]
        text = f"{before}{quote}{joined}{last.text[len(last.body) :]}"
        edit = Edit(damaged.conf_path, line.number - 1, last.number, (text,))
        return Repair("join the lines of the value", (edit,))
    text = f"{before}{quote}{value}{quote}{line.text[len(line.body) :]}"
    return _replacement(damaged, line, "close the quote at the end of the line", text)


def _other_end(
    keyword: str, quote: str, value: str, more: tuple[ConfLine, ...] | None
) -> str | None:
    """Say where else a value could end; None if nowhere."""
    other = _QUOTES[quote == '"']
    if value.count(other) % 2 or (other == "'" and other in value):
        return "the line also has the other kind of quote, where the value could end"
    if re.search(r"(?:^|[ \t])#", value):
        return "the value could end before or after the comment"
    if more is None or (more and keyword != Keyword.PARAMETERS):
        return "the value could end on this line or on a later one"
    if not more and value.endswith("\\"):
        return "a value cannot continue on the next line"
    if keyword != Keyword.PARAMETERS and re.search(r"[ \t]", value):
        return f"the value of '{keyword}' could end at any of its blanks"
    return None


def _goes_on(damaged: Damaged, line: ConfLine, quote: str) -> tuple[ConfLine, ...] | None:
    """Return the lines on which a value continues, none if it does not; None if that is uncertain.

    These lines have no meaning by themselves, and the last one ends with the quote.
    """
    found = []
    for other in damaged.machine.configuration.conf.lines[line.number :]:
        if other.kind is not LineKind.REFUSED:
            return None if other.body.count(quote) % 2 else ()
        found.append(other)
        text = other.body.rstrip(" \t")
        words = text.removesuffix(quote).removesuffix("\\").split()
        if not all(map(_WORD.fullmatch, words)):
            return None if quote in text else ()
        if text.endswith(quote):
            return tuple(found)
    return ()


def _with_comment(
    damaged: Damaged, line: ConfLine, head: str, comment: str, action: str
) -> Repair | None:
    end = line.text[len(line.body) :]
    if parse_line(head).kind is LineKind.REFUSED:
        return None
    above = (f"{line.text[: line.column - 1]}{comment}\n",) if comment else ()
    return Repair(action, (replaced(damaged.conf_path, line.number, *above, f"{head}{end}"),))


def _replacement(damaged: Damaged, line: ConfLine, action: str, text: str) -> Repair:
    return Repair(action, (replaced(damaged.conf_path, line.number, text),))
