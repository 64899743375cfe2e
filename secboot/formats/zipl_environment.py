"""zIPL's environment block: what ``${NAME}`` in a parameter line becomes at IPL.

zipl stores the names and values from /etc/ziplenv in the bootmap; its last loader replaces each
``${NAME}`` before the kernel starts, and takes away what has no value (zipl-editenv(8);
zipl/src/envblk.c; handle_environment and process_parm_line in zipl/boot/stage3.c). Since 2.18.
"""

from __future__ import annotations

import re

from secboot.named_tuple import NamedTuple

SIGNATURE = b"# zIPL Environment Block\n"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class ZiplEnvironment(NamedTuple):
    """Names and values. A name that begins with a digit belongs to the site of that number."""

    variables: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, block: bytes) -> ZiplEnvironment:
        """Read an environment block. ValueError when it is none, or damaged (envblk_scan)."""
        if not block.startswith(SIGNATURE):
            raise ValueError("the zIPL environment block has no signature")
        body = block[len(SIGNATURE) :].split(b"\0", 1)[0]
        if body and not body.endswith(b"\n"):
            raise ValueError("the zIPL environment block is damaged")
        variables = []
        for line in body.split(b"\n")[:-1]:
            name, equals, value = line.decode("utf-8", "surrogateescape").partition("=")
            if not equals or not name:
                raise ValueError("the zIPL environment block is damaged")
            variables.append((name, value))
        return cls(tuple(variables))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that have variables of their own: ``"0"`` to ``"9"``."""
        return tuple(sorted({name[0] for name, _ in self.variables if name[0].isdigit()}))

    def value(self, name: str, site: str | None = None) -> str | None:
        """The value of `name` at a site, else the common one; None when there is neither."""
        values = dict(self.variables)
        at_site = None if site is None else values.get(site + name)
        return values.get(name) if at_site is None else at_site

    def expand(self, line: str, site: str | None = None) -> str:
        """Return the line as the kernel gets it: every ``${NAME}`` replaced or taken away.

        `site` is the one that the operator chose with LOADPARM, None for none. Values are not
        searched again. Where the result would not fit, the loader stops early; that is not
        modelled, since zipl knows no such line.
        """
        return _VARIABLE.sub(lambda found: self.value(found[1], site) or "", line)


NO_ENVIRONMENT = ZiplEnvironment(())


def variables_of(line: str) -> tuple[str, ...]:
    """The names that a line asks the environment for, in order."""
    return tuple(_VARIABLE.findall(line))
