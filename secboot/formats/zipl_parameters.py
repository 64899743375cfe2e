"""How a parameter line is made: parmfile and `parameters=` joined, ``${NAME}`` replaced.

zipl joins the texts (zipl/src/job.c: get_parmline), and stores the names and values of
/etc/ziplenv, the zIPL environment, in the boot record. Its last loader stage replaces each
``${NAME}`` before the kernel starts, and removes those without a value (zipl-editenv(8);
zipl/src/envblk.c; handle_environment and process_parm_line in zipl/boot/stage3.c). Since 2.18.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.text import byte_length, decoded, require_one_line, split_lines
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIPLENV = "/etc/ziplenv"
"""zipl's ENVBLK_DEFAULT_IMPORT_SOURCE (zipl/include/envblk.h)."""
SIGNATURE = b"# zIPL Environment Block\n"
_NEWLINES = "\n+"
_VARIABLE = re.compile(r"\$\{([^}]*)(?:\}|\Z)")
"""An unclosed variable matches the rest of the line, so that no part of it is scanned twice."""
_SITE = r"(?i:\[site[ \t]+([^\]]*)\])"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SITES = frozenset("0123456789")
_IMPORT_LIMIT = 4071
"""The bytes that remain after the signature in a block of 4096 (envblk.h)."""
_IMPORT_LINES = 512


def parmfile_line(text: str) -> str:
    """Return the line that zipl makes of a parmfile's `text`.

    The first NUL ends it; each run of newlines, even at the ends, becomes one blank; nothing else
    changes (job.c: get_parmline).
    """
    return re.sub(_NEWLINES, " ", text.partition("\0")[0])


def join_parameters(parmfile: str | None, parameters: str | None) -> str | None:
    """Return the parameter line of a section, or None if it has none.

    `parmfile` is the text of its parmfile, `parameters` the value of its ``parameters=``; None if
    the section has none. The parmfile comes first. A blank separates them unless the parmfile's
    line is empty or ends in a blank (job.c: append_parmline); a tab is not a blank here.
    """
    if parmfile is None:
        return parameters
    line = parmfile_line(parmfile)
    if parameters is None:
        return line
    blank = "" if not line or line.endswith(" ") else " "
    return f"{line}{blank}{parameters}"


class ZiplEnvironment(NamedTuple):
    """Names and values. A name that starts with a digit belongs to the site with that number."""

    variables: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, block: bytes) -> ZiplEnvironment:
        """Read an environment block. Raises ValueError if it is not one, or damaged (envblk_scan)."""
        if not block.startswith(SIGNATURE):
            raise ValueError("the zIPL environment block has no signature")
        body = block[len(SIGNATURE) :].split(b"\0", 1)[0]
        if body and not body.endswith(b"\n"):
            raise ValueError("the zIPL environment block is damaged")
        variables = []
        for line in body.split(b"\n")[:-1]:
            name, equals, value = decoded(line).partition("=")
            if not equals or not name:
                raise ValueError("the zIPL environment block is damaged")
            variables.append((name, value))
        return cls(tuple(variables))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites with their own variables: ``"0"`` to ``"9"``."""
        return tuple(sorted({name[0] for name, _ in self.variables if name[0].isdigit()}))

    def value(self, name: str, site: str | None = None) -> str | None:
        """The value of `name` at a site, else the common value; None if there is neither."""
        values = dict(self.variables)
        at_site = None if site is None else values.get(site + name)
        return values.get(name) if at_site is None else at_site

    def expand(self, line: str, site: str | None = None) -> str:
        """Return the line that the kernel receives: every ``${NAME}`` is replaced or removed.

        `site` is the one that the operator selected with LOADPARM, None for none. Values are not
        expanded again. If the result does not fit, the loader stops early; this is not modelled,
        since zipl does not check for such a line.
        """
        values = dict(self.variables)
        if site is not None:
            values |= {n.removeprefix(site): v for n, v in self.variables if n[:1] == site}
        return _VARIABLE.sub(
            lambda found: values.get(found[1], "") if found[0].endswith("}") else found[0], line
        )


NO_ENVIRONMENT = ZiplEnvironment(())


def variables_of(line: str) -> tuple[str, ...]:
    """The names of the variables in a line, in order."""
    return tuple(found[1] for found in _VARIABLE.finditer(line) if found[0].endswith("}"))


class Variable(NamedTuple):
    """One assignment on line `number`, from 1; `site` is None for a common variable."""

    number: int
    site: str | None
    name: str
    value: str


class ZiplenvFile(NamedTuple):
    """/etc/ziplenv; `path` is only used in locations.

    Lines are ``NAME=value``; the value ends at the end of the line and includes quotes. A line
    that starts with ``#`` or has no name before an ``=`` is ignored. ``[site N]`` starts the
    variables of one of ten sites; those before the first such line are common to all. The last
    assignment of a name applies (zipl-editenv(8), "FILES"; envblk_import and import_one_line).
    """

    lines: tuple[str, ...]
    path: str = ZIPLENV

    @classmethod
    def parse(cls, text: str, path: str = ZIPLENV) -> ZiplenvFile:
        """Read any text. Never raises. ``parse(text).render() == text``."""
        return cls(tuple(split_lines(text)), path)

    def render(self) -> str:
        """Return the text of the file."""
        return "".join(self.lines)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every assignment in order, including those that a later one overrides."""
        return tuple(each for each in self._read() if isinstance(each, Variable))

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The lines that make zipl refuse the file; it stops at the first."""
        return tuple(each for each in self._read() if isinstance(each, Finding))

    @property
    def environment(self) -> ZiplEnvironment:
        """The environment that zipl would store: the last assignment of each name."""
        held = {f"{each.site or ''}{each.name}": each.value for each in self.variables}
        return ZiplEnvironment(tuple(held.items()))

    def assignment(self, site: str | None, name: str) -> Variable | None:
        """Return the last assignment for exactly this site (None: the common variables)."""
        found = [each for each in self.variables if (each.site, each.name) == (site, name)]
        return found[-1] if found else None

    def set_value(self, site: str | None, name: str, value: str) -> ZiplenvFile:
        """Return the file with another value for a name that is already assigned for this site.

        Raises RefusedError if it is not assigned, or if the value does not fit on one line.
        """
        old = self.assignment(site, name)
        if old is None:
            where = "" if site is None else f" for site {site}"
            raise RefusedError(f"{name} is not set{where}", location=Location(self.path))
        require_one_line(value, self.path)
        line = self.lines[old.number - 1]
        new = f"{name}={value}" + ("\n" if line.endswith("\n") else "")
        return ZiplenvFile(
            (*self.lines[: old.number - 1], new, *self.lines[old.number :]), self.path
        )

    def _read(self) -> Iterator[Variable | Finding]:
        """Yield variables and problems in the order of envblk_import, which stops at a problem.

        Every line must fit into the rest of the block, even one that is ignored or that overrides
        another.
        """
        site: str | None = None
        held: dict[tuple[str | None, str], int] = {}
        used = 0
        for number, line in enumerate(self.lines, 1):
            size, left = byte_length(line), _IMPORT_LIMIT - used
            if size > left or (size == left and not line.endswith("\n")):
                message = f"maximal size ({_IMPORT_LIMIT}) exceeded"
                yield self._refusal("ziplenv-size", message, number)
                continue
            text = line.partition("\0")[0]
            heading = re.match(_SITE, text)
            if heading is not None:
                site = heading[1].strip()
                if site not in _SITES:
                    message = f"unsupported site ID '{site}'"
                    yield self._refusal("ziplenv-site", message, number)
                continue
            name, equals, value = text.removesuffix("\n").partition("=")
            if text.startswith("#") or not equals or not name:
                continue
            if re.fullmatch(_NAME, name) is None:
                yield self._refusal("ziplenv-name", f"Unacceptable name '{name}'", number)
                continue
            if len(held) == _IMPORT_LINES and (site, name) not in held:
                message = f"maximum number of lines ({_IMPORT_LINES}) exceeded"
                yield self._refusal("ziplenv-lines", message, number)
                continue
            used += size - held.get((site, name), 0)
            held[site, name] = size
            yield Variable(number, site, name, value)

    def _refusal(self, code: str, message: str, number: int) -> Finding:
        return Finding(code, Severity.ERROR, message, Location(self.path, number))
