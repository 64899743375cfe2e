"""/etc/ziplenv: the zIPL environment that ``zipl`` takes into the boot record.

Lines are ``NAME=value``, the value up to the end of the line and quotes a part of it. A line that
begins with ``#`` or has no name before an ``=`` is ignored. ``[site N]`` begins the variables of
one of ten sites, above the first such line are the common ones; the last assignment of a name
counts (zipl-editenv(8), "FILES"; zipl/src/envblk.c, envblk_import and import_one_line).

Texts are UTF-8 decoded with ``surrogateescape`` and without newline translation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.problem import SyntaxProblem
from secboot.formats.text import require_one_line, split_lines
from secboot.formats.zipl_environment import ZiplEnvironment
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/etc/ziplenv"
"""zipl's ENVBLK_DEFAULT_IMPORT_SOURCE (zipl/include/envblk.h)."""
_SITE = re.compile(r"\[site[ \t]+([^\]]*)\]", re.IGNORECASE)
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SITES = frozenset("0123456789")


class Variable(NamedTuple):
    """One assignment on the line `number`, from 1; `site` is None for a common one."""

    number: int
    site: str | None
    name: str
    value: str


class ZiplenvFile(NamedTuple):
    """The whole file; `path` is only used to say where something is."""

    lines: tuple[str, ...]
    path: str = PATH

    @classmethod
    def parse(cls, text: str, path: str = PATH) -> ZiplenvFile:
        """Read any text; never raises. ``parse(text).render() == text``."""
        return cls(tuple(split_lines(text)), path)

    def render(self) -> str:
        """Return the text of the file."""
        return "".join(self.lines)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every assignment, in order, those that a later one replaces included."""
        return tuple(each for each in self._read() if isinstance(each, Variable))

    @property
    def problems(self) -> tuple[SyntaxProblem, ...]:
        """The lines for which zipl refuses the file; it stops at the first."""
        return tuple(each for each in self._read() if isinstance(each, SyntaxProblem))

    @property
    def environment(self) -> ZiplEnvironment:
        """The environment as zipl would store it: the last assignment of each name."""
        held = {f"{each.site or ''}{each.name}": each.value for each in self.variables}
        return ZiplEnvironment(tuple(held.items()))

    def assignment(self, site: str | None, name: str) -> Variable | None:
        """Return the assignment that counts for exactly this site (None: the common one)."""
        found = [each for each in self.variables if (each.site, each.name) == (site, name)]
        return found[-1] if found else None

    def set_value(self, site: str | None, name: str, value: str) -> ZiplenvFile:
        """Return the file with another value where the name is assigned for this site already.

        Raises RefusedError when it is not, or when the value can't be written on one line.
        """
        old = self.assignment(site, name)
        if old is None:
            where = "" if site is None else f" for site {site}"
            raise RefusedError(f"{name} has no value{where}", location=Location(self.path))
        require_one_line(value, self.path)
        line = self.lines[old.number - 1]
        new = f"{name}={value}" + ("\n" if line.endswith("\n") else "")
        return ZiplenvFile(
            (*self.lines[: old.number - 1], new, *self.lines[old.number :]), self.path
        )

    def _read(self) -> Iterator[Variable | SyntaxProblem]:
        site: str | None = None
        for number, line in enumerate(self.lines, 1):
            heading = _SITE.match(line)
            if heading is not None:
                site = heading[1].strip()
                if site not in _SITES:
                    message = f"unsupported site ID '{site}'"
                    yield SyntaxProblem("ziplenv-site", message, number)
                continue
            name, equals, value = line.removesuffix("\n").partition("=")
            if line.startswith("#") or not equals or not name:
                continue
            if re.fullmatch(_NAME, name) is None:
                yield SyntaxProblem("ziplenv-name", f"Unacceptable name '{name}'", number)
                continue
            yield Variable(number, site, name, value)
