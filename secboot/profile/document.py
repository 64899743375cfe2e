"""The YAML of a profile: a small, strict part of the language, with the place of everything.

Only mappings, sequences and scalars are taken. Anchors, aliases, merge keys, tags, directives
and further documents are refused: none of them says anything that a profile needs, and each
lets a file mean something else than it seems to. Scalars stay text, as written: no YAML version
gets to decide whether ``on`` is a truth value or ``0100`` a number. `Scalar.plain` tells
whether it stood without quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.errors import Location
from secboot.profile.composed import COMPOSED

if TYPE_CHECKING:
    from secboot.profile.nodes import Node, Problems

SIZE_LIMIT = 256 * 1024
"""Characters. A profile has a few dozen lines; this is far above any and still read at once."""

# What YAML forbids, and the line breaks that only some YAML versions know: with one of these
# a comment would end where no editor shows it. The byte order mark may stand at the start.
_FORBIDDEN = "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"


def read_document(text: str, path: str, problems: Problems) -> Node | None:
    """Read the one document of a profile.

    `text` is decoded as UTF-8 with surrogate escapes; `path` is for the messages. Everything
    that isn't allowed goes to `problems`; None means that nothing usable is left.
    """
    start = Location(path, 1, 1)
    if len(text) > SIZE_LIMIT:
        problems.error(
            "too-large",
            f"the file has more than {SIZE_LIMIT // 1024} KiB: that is no profile",
            start,
        )
        return None
    body = text.removeprefix("\ufeff")
    known = COMPOSED.get(digest(body.encode("utf-8", "surrogatepass")))
    if known:
        return known(path)
    forbidden = re.search(_FORBIDDEN, body)
    if forbidden:
        _report_forbidden(body, forbidden.start(), path, problems)
        return None
    # Imported here since it costs more than all else: only who reads a profile of their own pays.
    from secboot.profile.composer import Composer  # noqa: PLC0415

    return Composer(path, problems).compose(body)


def _report_forbidden(text: str, position: int, path: str, problems: Problems) -> None:
    before = text[:position].replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    code = ord(text[position])
    location = Location(path, line, column)
    if 0xDC80 <= code <= 0xDCFF:
        problems.error(
            "not-utf-8",
            f"the byte 0x{code - 0xDC00:02X} is not UTF-8",
            location,
            "save the file as UTF-8",
        )
    else:
        problems.error(
            "forbidden-character",
            f"the character U+{code:04X} is not allowed in a profile",
            location,
        )
