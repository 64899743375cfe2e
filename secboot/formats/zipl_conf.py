"""zipl.conf as a lossless document: text -> lines -> text, byte for byte.

Any text can be parsed. A line that zipl would refuse is kept as a line with a problem, so that
one run can report all of them. `secboot.zipl` decides which keyword is allowed in which section.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.text import split_lines
from secboot.formats.zipl_line import (
    ConfLine,
    Keyword,
    LineKind,
    Quoting,
    parse_line,
    value_text,
)
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.finding import Finding

DEFAULTBOOT = "defaultboot"
"""The name of the section that selects the default entry."""

_HEADINGS = (LineKind.SECTION, LineKind.MENU)
_ASSIGNMENTS = (LineKind.ASSIGNMENT, LineKind.NUMBER, LineKind.FLAG)


class ConfSection(NamedTuple):
    """A section ``[name]`` or a menu ``:name``, with the lines up to the next heading."""

    heading: ConfLine
    lines: tuple[ConfLine, ...]

    @property
    def name(self) -> str:
        """The name between the brackets, or after the colon."""
        return self.heading.name or ""

    @property
    def is_menu(self) -> bool:
        """Whether this is a menu."""
        return self.heading.kind is LineKind.MENU

    @property
    def assignments(self) -> tuple[ConfLine, ...]:
        """The lines that zipl uses, in order."""
        return tuple(line for line in self.lines if line.kind in _ASSIGNMENTS)

    def get(self, keyword: Keyword) -> ConfLine | None:
        """Return the first line that assigns `keyword`."""
        return next((line for line in self.lines if line.keyword is keyword), None)

    def value(self, keyword: Keyword) -> str | None:
        """Return the value of the first assignment to `keyword`, without its quotes."""
        line = self.get(keyword)
        return line.value.text if line is not None and line.value is not None else None


class _Lines(NamedTuple):
    lines: tuple[ConfLine, ...]
    path: str = "zipl.conf"


class ZiplConf(_Lines):
    """One zipl.conf; `path` is only used in locations."""

    @classmethod
    def parse(cls, text: str, path: str = "zipl.conf") -> ZiplConf:
        """Read any text. Never raises. ``ZiplConf.parse(text).render() == text``."""
        lines = (parse_line(line, number, path) for number, line in enumerate(split_lines(text), 1))
        return cls(tuple(lines), path)

    def render(self) -> str:
        """Return the text of the document."""
        return "".join(line.text for line in self.lines)

    @cached_property
    def problems(self) -> tuple[Finding, ...]:
        """The lines that zipl's scanner refuses, in order; zipl stops at the first."""
        return tuple(line.problem for line in self.lines if line.problem is not None)

    @cached_property
    def blocks(self) -> tuple[ConfSection, ...]:
        """Sections and menus, in the order of the file."""
        starts = [i for i, line in enumerate(self.lines) if line.kind in _HEADINGS]
        ends = [*starts[1:], len(self.lines)]
        return tuple(
            ConfSection(self.lines[start], self.lines[start + 1 : end])
            for start, end in zip(starts, ends, strict=False)
        )

    @property
    def sections(self) -> tuple[ConfSection, ...]:
        """The sections, ``[defaultboot]`` included, in the order of the file."""
        return tuple(block for block in self.blocks if not block.is_menu)

    @property
    def menus(self) -> tuple[ConfSection, ...]:
        """The menus, in the order of the file."""
        return tuple(block for block in self.blocks if block.is_menu)

    def section(self, name: str) -> ConfSection | None:
        """Return the first section called `name`, which is the one that zipl finds."""
        return next((section for section in self.sections if section.name == name), None)

    def menu(self, name: str) -> ConfSection | None:
        """Return the first menu called `name`."""
        return next((menu for menu in self.menus if menu.name == name), None)

    def with_section(self, name: str, values: Mapping[Keyword, str]) -> ZiplConf:
        """Return the document with a section added at the end.

        It uses the same blanks as the last assignment that has a value.
        """
        sample = next((line for line in reversed(self.lines) if line.value), None)
        indent, equals = _style(sample)
        lines = [f"[{name}]"]
        lines += [
            f"{indent}{keyword}{equals}{value_text(value, self._quoting(keyword))}"
            for keyword, value in values.items()
        ]
        text = self.render()
        before = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return ZiplConf.parse(f"{text}{before}{chr(10).join(lines)}\n", self.path)

    def without_section(self, name: str) -> ZiplConf:
        """Return the document without a section that `with_section` added, and its menu entries.

        Text after the section's last assignment stays.
        """
        dropped = {
            line.number
            for menu in self.menus
            for line in menu.lines
            if line.kind is LineKind.NUMBER and line.value is not None and line.value.text == name
        }
        section = self.section(name)
        if section is not None:
            first = section.heading.number
            last = section.assignments[-1] if section.assignments else section.heading
            before = first - 1
            blank = before > 0 and not self.lines[before - 1].text.strip()
            dropped.update(range(before if blank else first, last.number + 1))
        text = "".join(line.text for line in self.lines if line.number not in dropped)
        return ZiplConf.parse(text, self.path)

    def with_menu_entry(self, menu: ConfSection, number: int, section: str) -> ZiplConf:
        """Return the document with an entry added to a menu, after its last entry."""
        numbers = [line for line in menu.lines if line.kind is LineKind.NUMBER]
        after = (
            numbers[-1] if numbers else menu.assignments[-1] if menu.assignments else menu.heading
        )
        indent, equals = _style(after if after.value else None)
        new = f"{indent}{number}{equals}{section}"
        texts = [line.text for line in self.lines]
        ended = after.text.endswith("\n")
        texts[after.number - 1] += f"{new}\n" if ended else f"\n{new}"
        return ZiplConf.parse("".join(texts), self.path)

    def with_values(
        self, keyword: Keyword, values: Mapping[str, str], *, in_menus: bool = False
    ) -> ZiplConf:
        """Return the document with other values for `keyword` in the named sections, or menus.

        A value is what zipl should read, without quotes. If the section assigns the keyword, only
        the value changes, and its quotes only if the old ones can't hold it. Otherwise a line is
        added after the section's last assignment, or its heading, with the indentation and blanks
        of the section and the quotes of other assignments to the keyword. A missing final newline
        is kept. Raises `RefusedError` if a section is missing or not unique, if it assigns the
        keyword twice or without a value, or if the value can't be written.
        """
        blocks = self.menus if in_menus else self.sections
        counted = Counter(block.name for block in blocks)
        quoting = self._quoting(keyword)
        texts = [line.text for line in self.lines]
        for block in blocks:
            value = values.get(block.name)
            if value is None:
                continue
            if counted[block.name] > 1:
                message = f"section name '{block.name}' is used more than once"
                raise RefusedError(message, location=self._at(block.heading))
            line = self._assignment(block, keyword)
            if line is not None:
                texts[line.number - 1] = _with_value(line, value)
                continue
            after = block.assignments[-1] if block.assignments else block.heading
            new = self._new_line(block, keyword, value, quoting)
            ended = after.text.endswith("\n")
            texts[after.number - 1] += f"{new}\n" if ended else f"\n{new}"
        for name in values:
            if name not in counted:
                kind = "menu" if in_menus else "section"
                raise RefusedError(f"{kind} '{name}' not found", location=Location(self.path))
        return ZiplConf.parse("".join(texts), self.path)

    def _at(self, line: ConfLine) -> Location:
        return Location(self.path, line.number, line.column)

    def _assignment(self, block: ConfSection, keyword: Keyword) -> ConfLine | None:
        """Return the line that assigns `keyword`, if any. Raises RefusedError for more than one."""
        found = [line for line in block.lines if line.keyword is keyword]
        if len(found) > 1:
            message = f"keyword '{keyword}' is used more than once in section '{block.name}'"
            raise RefusedError(message, location=self._at(found[1]))
        if found and found[0].value is None:
            raise RefusedError(f"'{keyword}' does not accept a value", location=self._at(found[0]))
        return found[0] if found else None

    def _new_line(self, block: ConfSection, keyword: Keyword, value: str, quoting: Quoting) -> str:
        sample = next((line for line in reversed(block.assignments) if line.value), None)
        if sample is None:
            sample = next((line for line in self.lines if line.value), None)
        indent, equals = _style(sample)
        return f"{indent}{keyword}{equals}{value_text(value, quoting)}"

    def _quoting(self, keyword: Keyword) -> Quoting:
        """Return the quotes that the file uses for `keyword`.

        Without an example, `parameters` gets double quotes: its value usually contains blanks.
        """
        for line in self.lines:
            if line.keyword is keyword and line.value is not None:
                return line.value.quoting
        return Quoting.DOUBLE if keyword is Keyword.PARAMETERS else Quoting.NONE


def _with_value(line: ConfLine, value: str) -> str:
    if line.value is None or (line.value.text == value and "\0" not in line.text):
        return line.text
    quotes = len(line.value.quoting)
    start, end = line.value.start - quotes, line.value.end + quotes
    written = value_text(value, line.value.quoting)
    return f"{line.text[:start]}{written}{line.text[end:]}"


def _style(sample: ConfLine | None) -> tuple[str, str]:
    """Return the indentation of a line, and its ``=`` with the surrounding blanks."""
    if sample is None or sample.value is None:
        return "", "="
    body = sample.text[: sample.value.start - len(sample.value.quoting)]
    before, _, after = body.partition("=")
    blanks = before[len(before.rstrip(" \t")) :]
    return sample.text[: sample.column - 1], f"{blanks}={after}"
