"""The kernel command line: words, names and values as the kernel splits them.

The rules are those of ``next_arg()`` in the kernel's ``lib/cmdline.c``, which both the s390
boot code (``arch/s390/boot/ipl_parm.c``) and the generic code (``kernel/params.c``) call:

- Words are separated by blanks: space, tab, newline, vertical tab, form feed, carriage return.
- A double quote protects blanks up to the next double quote, anywhere in a word. It can't be
  escaped, and without a closing quote the word extends to the end of the line. Single quotes
  have no meaning.
- The first ``=`` that is not the first character of a word ends the name, even inside quotes.
- A quote that opens the word or the value is removed, together with one at the end of the word;
  all others remain part of the value.
- A NUL ends the line, and the boot code trims blanks at both ends before it splits the line
  (``strim()`` in ``setup_boot_command_line()``).
- The generic code stops at a word ``--``, quoted or not; the rest is for init. The boot code does
  not stop there, so the words after it are parameters here too, and marked.

The kernel's ``isspace()`` is also true for the byte 0xa0. It isn't a blank here: a line with any
byte above 0x7f is converted from EBCDIC before it is split (``has_ebcdic_char()``), so that byte
is never seen there. `secboot.kernel.command_line` recognises such lines.

/etc/kernel/cmdline has other readers: Red Hat's 20-zipl-kernel.install splits the whole file into
words, across lines, and does not know comments; grubby reads the first line only and writes a
single line; systemd's own 90-loaderentry.install also uses all lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.text import split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLANKS = " \t\n\v\f\r"
"""The characters that separate words: the kernel's ``isspace()`` below 0x80 (``lib/ctype.c``)."""

_WORD = re.compile(r'(?:[^ \t\n\v\f\r"]++|"[^"]*+(?:"|\Z))++')
_END_OF_PARAMETERS = "--"
KERNEL_CMDLINE = "/etc/kernel/cmdline"
"""The file with the line of new kernels (kernel-install(8))."""
_BUILD_ROOT = r"/dev/(?:loop|nbd)\d+"
_SED_SPECIAL = frozenset("#&\\")


class Parameter(NamedTuple):
    """One word of the line.

    `name` and `value` are what the kernel sees, without the quotes that it removes. A `value`
    of None means that the word has no ``=`` (``quiet``), an empty string that nothing follows
    it (``quiet=``). `text` is the word as written, at ``line.text[start:end]``.
    `after_dashdash` marks a word after ``--``, where only the boot code reads it.
    """

    name: str
    value: str | None
    text: str
    start: int
    end: int
    after_dashdash: bool


class CommandLine(NamedTuple):
    """A line and what the kernel reads in it. Created by `parse`; every edit returns a new one."""

    text: str
    parameters: tuple[Parameter, ...]
    dashdash: int | None
    """Where the first ``--`` starts. It isn't one of the `parameters`; later ones are."""
    unterminated_quote: bool
    """The last word opens a quote that is never closed: appended text would be inside it."""

    @classmethod
    def parse(cls, text: str) -> CommandLine:
        """Split any text; the kernel accepts every text."""
        nul = text.find("\0")
        length = len(text[: nul if nul >= 0 else None].rstrip(BLANKS))
        parameters: list[Parameter] = []
        dashdash: int | None = None
        for match in _WORD.finditer(text, 0, length):
            word, start = match.group(), match.start()
            name, value = _name_and_value(word)
            if dashdash is None and value is None and name == _END_OF_PARAMETERS:
                dashdash = start
                continue
            parameters.append(
                Parameter(name, value, word, start, match.end(), dashdash is not None)
            )
        return cls(text, tuple(parameters), dashdash, text.count('"', 0, length) % 2 == 1)

    def render(self) -> str:
        """The text, exactly as it was parsed."""
        return self.text

    def named(self, name: str) -> tuple[Parameter, ...]:
        """The parameters with exactly this name, in the order of the line."""
        return tuple(parameter for parameter in self.parameters if parameter.name == name)

    def replace(self, parameter: Parameter, new_text: str) -> CommandLine:
        """Replace one parameter of this line with `new_text`, one or more words."""
        self._require_own(parameter)
        text = self.text[: parameter.start] + new_text + self.text[parameter.end :]
        return CommandLine.parse(text)

    def remove(self, *parameters: Parameter) -> CommandLine:
        """Remove parameters of this line, each with one adjacent run of blanks.

        That is the run before it, so that removing what `append` added restores the old text; for
        the first word it is the run after it.
        """
        if not parameters:
            return self
        self._require_own(*parameters)
        text, kept, end = self.text, [], len(self.text)
        for parameter in sorted(set(parameters), key=lambda each: each.start, reverse=True):
            kept.append(text[parameter.end : end])
            end = parameter.start
            while end and text[end - 1] in BLANKS:
                end -= 1
            if not end:
                rest = "".join(reversed(kept))
                words = rest.lstrip(BLANKS)
                return CommandLine.parse(text[: parameter.start] + words if words else rest)
        return CommandLine.parse(text[:end] + "".join(reversed(kept)))

    def append(self, new_text: str) -> CommandLine:
        """Add `new_text` as the last word before ``--``; blanks at the end of the line stay there.

        Raises RefusedError if it would become part of an unterminated quote.
        """
        if self.unterminated_quote:
            raise RefusedError(
                "the parameter line has a double quote that is never closed: anything added"
                " would become part of the quoted text",
                hint=f"close the quote in {self.parameters[-1].text!r} first"
                if self.parameters
                else "close the quote first",
            )
        before = [each for each in self.parameters if not each.after_dashdash]
        if before:
            end = before[-1].end
            text = f"{self.text[:end]} {new_text}{self.text[end:]}"
        elif self.dashdash is not None:
            text = f"{self.text[: self.dashdash]}{new_text} {self.text[self.dashdash :]}"
        else:
            text = new_text + self.text
        return CommandLine.parse(text)

    def _require_own(self, *parameters: Parameter) -> None:
        for parameter in {*parameters}.difference(self.parameters):
            raise ValueError(f"{parameter.text!r} is not a parameter of this line")


def parameter_text(name: str, value: str | None) -> str:
    """Write a parameter so that the kernel reads this name and value: ``rd.znet="a b"``.

    The value is quoted only if necessary. Raises ParseError if it can't be written: because of a
    quote that the kernel would interpret, a name that isn't one word, control characters, or
    anything but ASCII.
    """
    for part in (name, value or ""):
        if not part.isascii() or any((ch < " " and ch != "\t") or ch == "\x7f" for ch in part):
            raise ParseError(
                f"{part!r} can't be part of a kernel parameter: only printable ASCII is allowed"
            )
    for text in _spellings(name, value):
        line = CommandLine.parse(text)
        found = [(each.name, each.value, each.text) for each in line.parameters]
        if found == [(name, value, text)] and not line.unterminated_quote:
            return text
    raise ParseError(
        f"the parameter {name!r} with the value {value!r} can't be written so that the kernel reads"
        " it back",
        hint="a value can contain blanks, but no double quotes",
    )


def _spellings(name: str, value: str | None) -> tuple[str, ...]:
    if value is None:
        return (name,)
    return (f"{name}={value}", f'{name}="{value}"')


def _name_and_value(word: str) -> tuple[str, str | None]:
    """Split a word as the second half of ``next_arg()`` does."""
    opened = word.startswith('"')
    body = word[1:] if opened else word
    # The kernel stores the index of '=', with 0 for "not seen", so it ignores a leading '=' and
    # uses the next one.
    equals = body.find("=", 1)
    if equals < 0:
        return (body.removesuffix('"') if opened else body), None
    name, value = body[:equals], body[equals + 1 :]
    if value.startswith('"'):
        # Only one closing quote is removed with the opening one.
        return name, value[1:].removesuffix('"')
    return name, (value.removesuffix('"') if opened else value)


class KernelInstallCmdline(NamedTuple):
    """/etc/kernel/cmdline, the parameters of future kernels.

    The file is `before` + `words` + `after`; comments and blank lines are in `before` and `after`.
    `parameters` are the words from the first to the last line with parameters; comment lines
    between those are part of them. `path` is only used in locations.
    """

    before: str
    parameters: CommandLine
    after: str
    path: str = KERNEL_CMDLINE

    @classmethod
    def parse(cls, text: str, path: str = KERNEL_CMDLINE) -> KernelInstallCmdline:
        """Read any text. Never raises. ``parse(text).render() == text``."""
        lines = split_lines(text)
        held = [number for number, line in enumerate(lines) if _holds_words(line)]
        if not held:
            return cls(text, CommandLine.parse(""), "", path)
        first, last = held[0], held[-1] + 1
        words = CommandLine.parse("".join(lines[first:last]))
        return cls("".join(lines[:first]), words, "".join(lines[last:]), path)

    def render(self) -> str:
        """Return the text of the file."""
        return self.before + self.words + self.after

    @property
    def words(self) -> str:
        """The text of the parameters."""
        return self.parameters.text

    @property
    def line(self) -> int:
        """The line on which the parameters start, from 1."""
        return self.before.count("\n") + 1

    def with_lines(self, lines: Mapping[str, CommandLine]) -> KernelInstallCmdline:
        """Return the file with other parameters; the only key in `lines` is "".

        Raises RefusedError if a comment is among them, since its words are read as parameters.
        """
        if _has_comment(self.words):
            raise RefusedError(
                "a comment is between lines with parameters",
                location=Location(self.path),
                hint="move it to the top of the file, or remove it",
            )
        return self._replace(parameters=lines[""])

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What does not belong in the file, or is not handled by the programs that read it."""
        return (*self._layout_problems(), *self._word_problems())

    def _layout_problems(self) -> Iterator[Finding]:
        if _has_comment(self.render()):
            number = next(n for n, line in self._numbered() if _has_comment(line))
            yield self._warning(
                "kernel-cmdline-comment",
                "this comment becomes parameters of future kernels: the programs that read this"
                " file do not know comments",
                number,
            )
        held = [number for number, line in self._numbered() if _holds_words(line)]
        if len(held) > 1:
            yield self._warning(
                "kernel-cmdline-lines",
                "grubby reads only the first line with parameters and drops the others",
                held[1],
            )

    def _warning(self, code: str, message: str, number: int) -> Finding:
        return Finding(code, Severity.WARNING, message, Location(self.path, number))

    def _numbered(self) -> list[tuple[int, str]]:
        return list(enumerate(split_lines(self.render()), 1))

    def _word_problems(self) -> Iterator[Finding]:
        number, position = self.line, 0
        for parameter in self.parameters.parameters:
            number += self.words.count("\n", position, parameter.start)
            position = parameter.start
            reason = None
            if parameter.name in {"BOOT_IMAGE", "initrd"}:
                reason = "was added by a boot loader for one boot; it is not a setting"
            elif parameter.name == "root" and re.match(_BUILD_ROOT, parameter.value or ""):
                reason = "is a device of the machine that built this system, not of this one"
            elif not _SED_SPECIAL.isdisjoint(parameter.text):
                reason = "is garbled by 20-zipl-kernel.install, which uses it in a sed expression"
            if reason is not None:
                message = f"'{parameter.text}' {reason}"
                yield self._warning("kernel-cmdline-word", message, number)
        if "\r" in self.words:
            message = (
                "a carriage return becomes part of the parameter before it: use Unix line endings"
            )
            yield self._warning("kernel-cmdline-word", message, self.line)


def _holds_words(line: str) -> bool:
    return bool(line.strip()) and not _has_comment(line)


def _has_comment(text: str) -> bool:
    return any(line.lstrip().startswith("#") for line in text.split("\n"))
