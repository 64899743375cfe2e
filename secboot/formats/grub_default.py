"""/etc/default/grub as SUSE's programs on s390x read it: one-line assignments.

Three programs read it: grub2-mkconfig as a shell script; zipl2grub (util/s390x/zipl2grub.pl.in)
line by line with regular expressions, which in older releases match ``KEY="value"`` only; and
update-bootloader (perl-Bootloader, include/library), which reads it as a shell script and writes
``KEY="value"`` with a backslash before each double quote. So this module reads and writes only
that form, on a separate line and without blanks around the ``=``; any other assignment of a
variable is reported as a problem of that variable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError, RefusedError
from secboot.formats.text import require_one_line, split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.formats.kernel_cmdline import CommandLine

_STRICT = r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\$`\n]|\\")*)"[ \t]*(?:#[^\n]*)?\n?'
_ANY = r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*\+?="
_OTHER = re.compile(
    r"""[ \t]*(?:export[ \t]+)?[A-Za-z_]\w*=(?:'([^'\n]*)'|([\w.,:/=@%+-]*))[ \t]*(?:\#[^\n]*)?\n?""",
    re.ASCII,
)
"""Other ways to write a value that a shell reads without any expansion."""
_UNSAFE = r"[\\$`]"


class Assignment(NamedTuple):
    """One variable: its value is what a shell reads from ``text[start:end]`` of line `number`.

    Lines count from 1. `problem` says what is wrong with the form of the assignment, which must
    then not be changed; `value` is None if it is unknown.
    """

    number: int
    value: str | None
    start: int = 0
    end: int = 0
    problem: ParseError | None = None


class GrubDefault(NamedTuple):
    """The whole file; `path` is only used in locations."""

    lines: tuple[str, ...]
    path: str = "/etc/default/grub"

    @classmethod
    def parse(cls, text: str, path: str = "/etc/default/grub") -> GrubDefault:
        """Read any text. Never raises. ``parse(text).render() == text``."""
        return cls(tuple(split_lines(text)), path)

    def render(self) -> str:
        """Return the text of the file."""
        return "".join(self.lines)

    def get(self, name: str) -> Assignment | None:
        """Return the last assignment of a variable, which is the effective one, or None."""
        found = None
        for number, line in enumerate(self.lines, 1):
            loose = re.match(_ANY, line)
            if loose is None or loose[1] != name:
                continue
            strict = re.fullmatch(_STRICT, line)
            if strict is None:
                value = None if "+=" in loose[0] else _other_value(line)
                problem = self._problem(name, number, loose.start(1) + 1)
                found = Assignment(number, value, problem=problem)
            else:
                value = strict[2].replace('\\"', '"')
                found = Assignment(number, value, strict.start(2), strict.end(2))
        return found

    def _problem(self, name: str, number: int, column: int) -> ParseError:
        ends = ", a carriage return at its end" if "\r" in self.lines[number - 1] else ""
        return ParseError(
            f"grub2-mkconfig and grub2-zipl-setup do not read this assignment of {name} the same"
            " way",
            location=Location(self.path, number, column),
            hint=f'write it on one line as {name}="...", without blanks around ={ends}, and'
            " without $, \\ or ` in the value",
        )

    def with_lines(self, lines: Mapping[str, CommandLine]) -> GrubDefault:
        """Return the file with these variables set to these parameters (see `set_value`)."""
        document = self
        for name, line in lines.items():
            document = document.set_value(name, line.text)
        return document

    def set_value(self, name: str, value: str) -> GrubDefault:
        """Return the file with a new value for a variable that is already assigned.

        Raises ParseError if the programs read the existing assignment differently, and
        RefusedError if the variable is not assigned or the value can't be written.
        """
        old = self.get(name)
        if old is None:
            raise RefusedError(
                f"{name} is not assigned",
                location=Location(self.path),
                hint=f'add the line {name}="" to the file',
            )
        if old.problem is not None:
            raise old.problem
        require_one_line(value, self.path)
        if re.search(_UNSAFE, value):
            raise RefusedError(
                f"{name} can't hold this value: the programs that read it treat $, \\ and `"
                " differently",
                location=Location(self.path, old.number),
            )
        line = self.lines[old.number - 1]
        new = line[: old.start] + value.replace('"', '\\"') + line[old.end :]
        return GrubDefault(
            (*self.lines[: old.number - 1], new, *self.lines[old.number :]), self.path
        )


def _other_value(line: str) -> str | None:
    match = _OTHER.fullmatch(line)
    return None if match is None else match[1] if match[1] is not None else match[2]
