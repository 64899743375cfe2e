"""What all text reports share: colour, wrapping, and the form of a finding.

Colour is only used on a terminal, unless the user or the environment says otherwise: NO_COLOR
(https://no-color.org), CLICOLOR_FORCE (https://bixense.com/clicolors), FORCE_COLOR.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secboot.finding import Severity
from secboot.named_tuple import NamedTuple
from secboot.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TextIO

    from secboot.finding import Finding

_RESET = "\x1b[0m"
_USUAL = 80
_NARROWEST = 40
_LISTED = 5
"""How many places of equal findings are listed, unless -v lists them all."""
_PROGRAMS = "|".join(
    (
        *("secboot", "sudo", "chroot", "chreipl", "dracut", "update-initramfs"),
        *("grub2-mkconfig", "grub2-zipl-setup", "grub2-set-default", "grub2-once"),
        *("rpm-ostree", "bootc", "pvimg", "genprotimg", "apt", "dnf", "zypper", "ansible-galaxy"),
        *("tar", "rm", "cp", "mv", "ln", "mkdir", "chown", "chmod", "restorecon", "echo", "sh"),
    )
)
"""What commands in hints begin with."""


class Style(NamedTuple):
    """How text is coloured and wrapped; without `colour`, the methods return the text as it is.

    `width` is that of the terminal in columns, None if the output is not for a terminal: then lines
    are not wrapped.
    """

    colour: bool
    width: int | None = None

    def filled(self, text: str, first: str = "", rest: str = "", *, whole: str = "") -> list[str]:
        """Return prose in lines that fit, wrapped between words; `first` and `rest` begin them.

        What is in backquotes, and the part that is `whole`, such as a command, stay on one line.
        """
        if self.width is None or len(first) + len(text) <= self.width:
            return [f"{first}{text}"]
        lines, line = [], first
        start = len(first)
        for word in _words(text, whole):
            if len(line) > start and len(line) + 1 + len(word) > self.width:
                lines.append(line)
                line, start = rest, len(rest)
            line += word if len(line) == start else f" {word}"
        return [*lines, line]

    def fits(self, text: str) -> bool:
        """Whether a line of plain text is not wider than the terminal."""
        return self.width is None or len(text) <= self.width

    def labelled(
        self, label: str, text: str, width: int, paint: Callable[[str], str] = str
    ) -> list[str]:
        """Return prose after a label, filled; all lines of the prose begin in column `width`."""
        indent = " " * width
        lines = [paint(line[width:]) for line in self.filled(text, indent, indent)]
        starts = [self.bold(f"{label:<{width}}") if label else indent, *(indent for _ in lines[1:])]
        return [f"{start}{line}" for start, line in zip(starts, lines, strict=True)]

    def bold(self, text: str) -> str:
        """Mark a heading."""
        return self._mark("\x1b[1m", text)

    def faint(self, text: str) -> str:
        """Mark what is less important."""
        return self._mark("\x1b[2m", text)

    def green(self, text: str) -> str:
        """Mark what is added or good."""
        return self._mark("\x1b[32m", text)

    def yellow(self, text: str) -> str:
        """Mark what changes, or a warning."""
        return self._mark("\x1b[33m", text)

    def red(self, text: str) -> str:
        """Mark what is removed, or an error."""
        return self._mark("\x1b[31m", text)

    def tags(self, marks: Mapping[str, bool]) -> str:
        """Return the marks that are true in brackets, to follow a name; empty for none."""
        tags = [mark for mark, is_so in marks.items() if is_so]
        return self.faint(f"  ({', '.join(tags)})") if tags else ""

    def named(
        self,
        name: str,
        marks: Mapping[str, bool],
        first: str,
        rest: str,
        paint: Callable[[str], str] = str,
    ) -> list[str]:
        """Return a name with its tags, filled; `first` and `rest` begin the lines."""
        lines = self.filled(name, first, rest)
        tags, plain = self.tags(marks), PLAIN.tags(marks)
        fits = self.width is None or len(lines[-1]) + len(plain) <= self.width
        starts = [first, *(rest for _ in lines[1:])]
        lines = [
            f"{start}{paint(line[len(start) :])}" for start, line in zip(starts, lines, strict=True)
        ]
        if fits:
            return [*lines[:-1], f"{lines[-1]}{tags}"]
        return [*lines, f"{rest}{self.faint(plain.strip())}"]

    def _mark(self, start: str, text: str) -> str:
        return f"{start}{text}{_RESET}" if self.colour and text else text


PLAIN = Style(colour=False)


def style_for(stream: TextIO, environ: Mapping[str, str], when: str = "auto") -> Style:
    """Return the style for `stream`; `when` is always, never, or auto.

    With auto, NO_COLOR turns colour off, CLICOLOR_FORCE and FORCE_COLOR turn it on for any stream,
    and otherwise it is on for a terminal that is not dumb.
    """
    is_terminal = stream.isatty()
    width = _columns(stream, environ) if is_terminal else None
    if when != "auto":
        return Style(when == "always", width)
    if environ.get("NO_COLOR"):
        return Style(colour=False, width=width)
    if any(environ.get(name, "0") not in {"", "0"} for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return Style(colour=True, width=width)
    return Style(environ.get("TERM") != "dumb" and is_terminal, width)


def _columns(stream: TextIO, environ: Mapping[str, str]) -> int:
    """The width of a terminal: from COLUMNS, from the terminal itself, or 80."""
    said = environ.get("COLUMNS", "")
    if said.isascii() and said.isdecimal() and len(said) < 5:
        return max(int(said), _NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or _USUAL, _NARROWEST)
    except (OSError, ValueError):
        return _USUAL


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def finding_text(finding: Finding, style: Style, *, with_code: bool = False) -> str:
    """Return ``path:line:column: warning: message``, and below it the hint, each line indented.

    This is the form of compilers' messages, in which editors find the place. There is no newline at
    the end. In colour, for people, the code is always shown, for `secboot explain`.
    """
    paint = {
        Severity.ERROR: style.red,
        Severity.WARNING: style.yellow,
        Severity.NOTE: style.bold,
    }[finding.severity]
    where = "" if finding.location is None else f"{visible(str(finding.location))}: "
    code = f"[{finding.code}]" if with_code or style.colour else ""
    message, *more = visible_lines(finding.message).split("\n")
    last = f" {code}" if code and not more else ""
    plain = style.filled(f"{where}{finding.severity}: {message}{last}", "", "  ")
    plain[0] = plain[0].replace(f"{finding.severity}:", f"{paint(finding.severity)}:", 1)
    first = "\n".join([*plain, *more]).removesuffix(last and code)
    first += style.faint(code) if last or not code else style.faint(f" {code}")
    return "\n".join([first, *hint_lines(finding.hint, style, "    ")])


def together(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings in their order, those together that differ only in their places."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding._replace(location=None), []).append(finding)
    return list(groups.values())


def findings_text(findings: Sequence[Finding], style: Style, *, every: bool = False) -> str:
    """Return findings that differ only in their places: the message once, the places below it."""
    first = findings[0]
    if len(findings) == 1:
        return finding_text(first, style)
    places = [str(each.location) for each in findings if each.location is not None]
    shown = places if every else places[:_LISTED]
    lines = [finding_text(first._replace(location=None, hint=None), style)]
    lines += [f"    {visible(place)}" for place in shown]
    if len(shown) < len(places):
        lines.append(style.faint(f"    and {len(places) - len(shown)} more (-v lists all)"))
    lines += hint_lines(first.hint, style, "    ")
    return "\n".join(lines)


def where_explained(codes: Iterable[str], style: Style) -> list[str]:
    """Return the line that says how to explain the first of `codes`, for readers in colour."""
    first = next(iter(codes), None)
    if first is None or not style.colour:
        return []
    return [style.faint(f"What it means and what to do: secboot explain {visible(first)}")]


def cause_lines(cause: Finding, style: Style, indent: str, *, named: bool = True) -> list[str]:
    """Return ``message: hint``: why something is missing, and what to do about it.

    On a terminal, a hint is on lines of its own if it does not fit or has several lines. Without
    `named`, the message is left out.
    """
    if not named:
        return _bold(hint_lines(cause.hint, style, indent), style)
    return step_lines(cause.message, cause.hint, style, indent)


def step_lines(message: str, hint: str | None, style: Style, indent: str) -> list[str]:
    """Return ``message: hint`` in the form of `cause_lines`."""
    hints = [visible(line) for line in (hint or "").splitlines()]
    colon = ":" if hints else ""
    lines = style.filled(f"{visible(message)}{colon}", indent, indent)
    fits = style.width is None or len(f"{lines[-1]} {hints[0] if hints else ''}") <= style.width
    if len(hints) == 1 and fits:
        lines[-1] += f" {style.bold(hints[0])}"
        return lines
    return [*lines, *_bold(hint_lines(hint, style, f"{indent}  "), style)]


def hint_lines(hint: str | None, style: Style, indent: str) -> list[str]:
    """Return the lines of a hint, indented: prose is filled, a command has a line of its own."""
    return [
        line
        for each in (hint or "").splitlines()
        for line in _hint_lines(visible(each), style, indent)
    ]


def message_lines(text: str, style: Style, rest: str = "    ") -> list[str]:
    """Return the lines of a message, filled; `rest` is added to the indent of continuation lines.

    A quoted line of a file, with its number or the caret below it, stays as it is.
    """
    lines = []
    for line in text.split("\n"):
        body = line.lstrip(" ")
        indent = line[: len(line) - len(body)]
        if body.lstrip("0123456789").startswith((" |", "|")):
            lines.append(line)
        else:
            lines += style.filled(body, indent, f"{indent}{rest}")
    return lines


def _hint_lines(text: str, style: Style, indent: str) -> list[str]:
    if style.width is None or len(indent) + len(text) <= style.width or text.startswith(" "):
        return [f"{indent}{text}"]
    import re

    rest = f"{indent}  "
    found = re.search(rf"(?:^|: )((?:{_PROGRAMS}) .*)$", text)
    if found is None:
        return style.filled(text, indent, rest)
    prose = text[: found.start(1)].rstrip()
    return (
        [*style.filled(prose, indent, rest), f"{rest}{found[1]}"] if prose else [f"{indent}{text}"]
    )


def _bold(lines: Iterable[str], style: Style) -> list[str]:
    """Return lines in bold, without their indent."""
    bodies = [(line, line.lstrip(" ")) for line in lines]
    return [f"{line[: len(line) - len(body)]}{style.bold(body)}" for line, body in bodies]


def _words(text: str, whole: str) -> list[str]:
    """Return the words of a text; what is in backquotes is one word, and so is `whole`."""
    before, found, after = text.partition(whole) if whole else ("", "", text)
    if found:
        *first, start = before.split(" ")
        end, *last = after.split(" ")
        return [*first, f"{start}{found}{end}", *last]
    if text.count("`") % 2:
        return text.split(" ")
    words: list[str] = []
    is_open = False
    for word in text.split(" "):
        if is_open:
            words[-1] += f" {word}"
        else:
            words.append(word)
        is_open ^= word.count("`") % 2 == 1
    return words
