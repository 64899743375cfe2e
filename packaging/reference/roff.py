"""Text as man(7) macros, for groff and mandoc alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PARAGRAPH_AFTER_HEADING = re.compile(r"^(\.S[HS] .*\n)\.PP\n", re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Return text that roff prints as it is: every backslash, dash and leading dot or quote."""
    # Readers type dashes as shown, so they must be ASCII.
    plain = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    )
    plain = plain.replace("`", "\\(ga").replace("'", "\\(aq").replace('"', "\\(dq")
    return f"\\&{plain}" if plain.startswith(".") else plain


def inline(text: str) -> str:
    """Return the text of a paragraph, with what is between backticks in bold."""
    parts = []
    for number, part in enumerate(_SPAN.split(text)):
        parts.append(f"\\fB{escaped(part)}\\fR" if number % 2 else escaped(part))
    joined = "".join(parts)
    return f"\\&{joined}" if joined.startswith(("'", ".")) else joined


def page(parts: Iterable[str]) -> str:
    """Return a page of these parts, without paragraph macros right after headings."""
    return _PARAGRAPH_AFTER_HEADING.sub(r"\1", "".join(parts))


def title(name: str, section: int, date: str, source: str, manual: str) -> str:
    """Return the heading of a page."""
    return f'.TH {name.upper()} {section} "{date}" "{source}" "{manual}"\n'


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f".SH {text.upper()}\n"


def subheading(text: str) -> str:
    """Return the heading of a part of a section."""
    return f'.SS "{escaped(text)}"\n'


def paragraph(text: str) -> str:
    """Return a paragraph; the text may span lines."""
    return f".PP\n{inline(' '.join(text.split()))}\n"


def item(term: str, text: str) -> str:
    """Return a term in bold with its explanation indented below."""
    return f".TP\n.B {escaped(term)}\n{inline(' '.join(text.split()))}\n"


def verbatim(lines: str) -> str:
    """Return an example that keeps its lines."""
    body = "\n".join(escaped(line) if line else "\\&" for line in lines.rstrip("\n").split("\n"))
    return f".PP\n.EX\n{body}\n.EE\n"


def see_also(pages: Sequence[tuple[str, int]]) -> str:
    """Return the section with references to other pages."""
    lines = [f".BR {escaped(name)} ({section})," for name, section in pages]
    lines[-1] = lines[-1].removesuffix(",")
    return heading("see also") + "\n".join(lines) + "\n"
