"""Read the text of a profile into the nodes of its one document, or report why it is not one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.errors import Location
from secboot.profile import fields
from secboot.profile.composed import COMPOSED
from secboot.profile.nodes import Mapping, Node, Problems, Scalar, Sequence

if TYPE_CHECKING:
    from secboot.profile.composed import Composed

SIZE_LIMIT = 64 * 1024
"""Characters. A profile has a few dozen lines; this is far more, and still quick to read."""

# What YAML forbids, and the line breaks that only some YAML versions recognize: at one of these a
# comment would end where no editor shows it. A byte order mark is allowed at the start.
_FORBIDDEN = "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
_CONTENT = r"(?m:^[ \t]*[^#\s])"
_ANY_KEY = (
    rf"(?m:(?:^|[{{,])[ \t]*[\"']?(?:{'|'.join(field.key for field in fields.PROFILE_FIELDS)})"
    r"[\"']?[ \t]*:(?:\s|$))"
)


def read_document(text: str, path: str, problems: Problems) -> Node | None:
    """Read the one document of a profile.

    `text` is decoded as UTF-8 with surrogate escapes; `path` is for the messages. Everything that is
    not allowed is added to `problems`; None means that nothing usable is left.
    """
    start = Location(path, 1, 1)
    if len(text) > SIZE_LIMIT:
        problems.error(
            "too-large",
            f"not a profile: the file is larger than {SIZE_LIMIT // 1024} KiB",
            start,
        )
        return None
    body = text.removeprefix("\ufeff")
    known = COMPOSED.get(digest(body.encode("utf-8", "surrogatepass")))
    if known:
        return _placed(known, path)
    if re.search(_CONTENT, body) and not re.search(_ANY_KEY, body):
        # Errors quote profiles, but never any other file that a path may lead to.
        problems.error(
            "not-a-profile",
            "not a profile: the file has none of a profile's keys",
            start,
            "a profile starts with `version: 1`",
        )
        return None
    forbidden = re.search(_FORBIDDEN, body)
    if forbidden:
        _report_forbidden(body, forbidden.start(), path, problems)
        return None
    # Imported here because it is by far the slowest import, and shipped profiles do not need it.
    from secboot.profile.composer import Composer  # noqa: PLC0415

    return Composer(path, problems).compose(body)


def _placed(composed: Composed, path: str) -> Node:
    content, line, column = composed
    location = Location(path, line, column)
    if isinstance(content, str):
        return Scalar(content, plain=True, location=location)
    if isinstance(content, list):
        return Sequence(tuple(_placed(each, path) for each in content), location)
    pairs = [(_placed(key, path), _placed(value, path)) for key, value in content]
    return Mapping(tuple((key, value) for key, value in pairs if isinstance(key, Scalar)), location)


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
