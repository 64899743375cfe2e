"""/etc/default/grub, and grub.cfg, which is generated from it and only ever read.

The first is read here as SUSE's programs on s390x read it: assignments of one line each.

Three programs read it: grub2-mkconfig as shell text; zipl2grub (util/s390x/zipl2grub.pl.in) line
by line with regular expressions, of which older releases know ``KEY="value"`` only; and
update-bootloader likewise. So only ``KEY="value"`` on a line of its own, without blanks around
the ``=``, means the same to all; whatever else assigns a variable is a problem here.
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

_STRICT = r'([A-Za-z_][A-Za-z0-9_]*)="([^"\\$`\n]*)"[ \t]*(?:#[^\n]*)?\n?'
_ANY = r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*\+?="
_LINUX = r"^[ \t]*linux(?:efi|16)?[ \t]+(\S+)(?:[ \t]+([^\n]*))?$"
_UNSAFE = r'["\\$`]'


class Assignment(NamedTuple):
    """One variable: its value is ``text[start:end]`` of the line `number`, counted from 1."""

    number: int
    value: str
    start: int
    end: int


class GrubDefault(NamedTuple):
    """The whole file; `path` is only used to say where something is."""

    lines: tuple[str, ...]
    path: str = "/etc/default/grub"

    @classmethod
    def parse(cls, text: str, path: str = "/etc/default/grub") -> GrubDefault:
        """Read any text; never raises. ``parse(text).render() == text``."""
        return cls(tuple(split_lines(text)), path)

    def render(self) -> str:
        """Return the text of the file."""
        return "".join(self.lines)

    def get(self, name: str) -> Assignment | None:
        """Return the last assignment of a variable, which counts; None if there is none.

        Raises ParseError for an assignment that not all programs read alike.
        """
        found = None
        for number, line in enumerate(self.lines, 1):
            loose = re.match(_ANY, line)
            if loose is None or loose[1] != name:
                continue
            strict = re.fullmatch(_STRICT, line)
            if strict is None:
                raise ParseError(
                    f"this assignment of {name} is not read alike by grub2-mkconfig and by"
                    " grub2-zipl-setup",
                    location=Location(self.path, number, loose.start(1) + 1),
                    hint=f'write it on one line as {name}="...", without blanks around =, and'
                    " without $, \\ or ` in the value",
                )
            found = Assignment(number, strict[2], strict.start(2), strict.end(2))
        return found

    def with_lines(self, lines: Mapping[str, CommandLine]) -> GrubDefault:
        """Return the file with these parameters in the variables of these names (`set_value`)."""
        document = self
        for name, line in lines.items():
            document = document.set_value(name, line.text)
        return document

    def set_value(self, name: str, value: str) -> GrubDefault:
        """Return the file with another value of a variable that is assigned already.

        Raises RefusedError when it is not, or when there is no way to write the value.
        """
        old = self.get(name)
        if old is None:
            raise RefusedError(
                f"{name} is not assigned",
                location=Location(self.path),
                hint=f'add the line {name}="" to the file',
            )
        require_one_line(value, self.path)
        if re.search(_UNSAFE, value):
            raise RefusedError(
                f"{name} can't hold this value: its programs disagree on quotes and on $, \\ and `",
                location=Location(self.path, old.number),
            )
        line = self.lines[old.number - 1]
        new = line[: old.start] + value + line[old.end :]
        return GrubDefault(
            (*self.lines[: old.number - 1], new, *self.lines[old.number :]), self.path
        )


class GrubKernel(NamedTuple):
    """One ``linux`` command: its line in the file, from 1, the image, and the parameters."""

    number: int
    image: str
    parameters: str


class GrubCfg(NamedTuple):
    """The kernels in the order of the file; the first is that of the first menu entry."""

    kernels: tuple[GrubKernel, ...]

    @classmethod
    def parse(cls, text: str, _path: str = "grub.cfg") -> GrubCfg:
        """Read any text; never raises."""
        matches = (
            (number, re.match(_LINUX, line)) for number, line in enumerate(text.split("\n"), 1)
        )
        return cls(
            tuple(
                GrubKernel(number, match[1], (match[2] or "").rstrip())
                for number, match in matches
                if match is not None
            )
        )
