"""/etc/kernel/cmdline: the parameters of a kernel that is installed later.

Red Hat's 20-zipl-kernel.install splits the whole file into words, newlines and all, and knows no
comments; grubby reads the first line only and writes one line back. systemd's own
90-loaderentry.install takes all lines, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.text import split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUILD_ROOT = re.compile(r"/dev/(?:loop|nbd)\d+")
_SED_SPECIAL = re.compile(r"[#&\\]")


class KernelInstallCmdline(NamedTuple):
    """The file as `before` + `words` + `after`; comments and blank lines are in the outer two.

    `parameters` are the words from the first to the last line with parameters; a comment line
    among these is a part of it. `path` is only used to say where something is.
    """

    before: str
    parameters: CommandLine
    after: str
    path: str = "/etc/kernel/cmdline"

    @classmethod
    def parse(cls, text: str, path: str = "/etc/kernel/cmdline") -> KernelInstallCmdline:
        """Read any text; never raises. ``parse(text).render() == text``."""
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
        """The line on which the parameters begin, from 1."""
        return self.before.count("\n") + 1

    def with_parameters(self, line: CommandLine) -> KernelInstallCmdline:
        """Return the file with other parameters.

        Raises RefusedError when a comment stands among them, since it can't be told from them.
        """
        if _has_comment(self.words):
            raise RefusedError(
                "a comment stands between lines with parameters",
                location=Location(self.path),
                hint="move it to the top of the file, or remove it",
            )
        return self._replace(parameters=line)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What does not belong into the file, or does not survive its readers."""
        return (*self._layout_problems(), *self._word_problems())

    def _layout_problems(self) -> Iterator[Finding]:
        if _has_comment(self.render()):
            number = next(n for n, line in self._numbered() if _has_comment(line))
            yield self._warning(
                "kernel-cmdline-comment",
                "the comment becomes parameters of a new kernel: no program that reads this file"
                " knows comments",
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
        for parameter in self.parameters.parameters:
            reason = None
            if parameter.name in {"BOOT_IMAGE", "initrd"}:
                reason = "was added by a boot loader for one boot and is no setting"
            elif parameter.name == "root" and _BUILD_ROOT.match(parameter.value or ""):
                reason = "is a device of the machine that built this system, not of this one"
            elif _SED_SPECIAL.search(parameter.text):
                reason = "is garbled by 20-zipl-kernel.install, which puts it into a sed expression"
            if reason is not None:
                at = self.line + self.words[: parameter.start].count("\n")
                message = f"'{parameter.text}' {reason}"
                yield self._warning("kernel-cmdline-word", message, at)


def _holds_words(line: str) -> bool:
    return bool(line.strip()) and not _has_comment(line)


def _has_comment(text: str) -> bool:
    return any(line.lstrip().startswith("#") for line in text.split("\n"))
