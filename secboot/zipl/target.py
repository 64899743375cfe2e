"""zipl's rules for the keywords that say where to install (scan_check_target_data)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_line import Keyword
from secboot.zipl.scanf import geometry, whole_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.zipl.problem import Findings
    from secboot.zipl.tokens import Token

_BLOCK_SIZES = {512, 1024, 2048, 4096}
_ECKD_TYPES = {"cdl", "ldl"}
_BLOCK_TYPES = {"scsi", "fba"}
_NEED_BASE = (
    Keyword.TARGETTYPE,
    Keyword.TARGETGEOMETRY,
    Keyword.TARGETBLOCKSIZE,
    Keyword.TARGETOFFSET,
)


def check_target(keywords: Mapping[Keyword, Token], findings: Findings) -> None:
    """Check the target keywords of one section, menu or ``[defaultboot]``."""
    base = keywords.get(Keyword.TARGETBASE)
    if base is None:
        alone = next((keywords[word] for word in _NEED_BASE if word in keywords), None)
        if alone is not None:
            message = f"keyword 'targetbase' required when specifying '{alone.keyword}'"
            findings.error("target", message, alone.location, alone.line)
        return
    _check_type(base, keywords, findings)
    _check_geometry(keywords.get(Keyword.TARGETGEOMETRY), findings)
    _check_block_size(base, keywords.get(Keyword.TARGETBLOCKSIZE), findings)
    _check_offset(base, keywords.get(Keyword.TARGETOFFSET), findings)


def _check_type(base: Token, keywords: Mapping[Keyword, Token], findings: Findings) -> None:
    kind = keywords.get(Keyword.TARGETTYPE)
    size = keywords.get(Keyword.TARGETGEOMETRY)
    if kind is None:
        message = "keyword 'targettype' required when specifying 'targetbase'"
        findings.error("target", message, base.location, base.line)
    elif kind.text.lower() in _ECKD_TYPES:
        if size is None:
            message = f"keyword 'targetgeometry' required when specifying 'targettype' {kind.text}"
            findings.error("target", message, kind.location, kind.line)
    elif kind.text.lower() in _BLOCK_TYPES:
        if size is not None:
            message = f"keyword 'targetgeometry' not allowed for 'targettype' {kind.text}"
            findings.error("target", message, size.location, size.line)
    else:
        message = f"Unrecognized 'targettype' value '{kind.text}'"
        findings.error("target", message, kind.location, kind.line)


def _check_geometry(token: Token | None, findings: Findings) -> None:
    if token is None:
        return
    numbers = geometry(token.text)
    if numbers is None or min(numbers) <= 0:
        message = f"Invalid target geometry '{token.text}'"
        findings.error("target", message, token.location, token.line)


def _check_block_size(base: Token, token: Token | None, findings: Findings) -> None:
    if token is None:
        message = "Keyword 'targetblocksize' required when specifying 'targetbase'"
        findings.error("target", message, base.location, base.line)
    elif whole_int(token.text) not in _BLOCK_SIZES:
        message = f"Invalid target blocksize '{token.text}'"
        findings.error("target", message, token.location, token.line)


def _check_offset(base: Token, token: Token | None, findings: Findings) -> None:
    if token is None:
        message = "Keyword 'targetoffset' required when specifying 'targetbase'"
        findings.error("target", message, base.location, base.line)
    elif whole_int(token.text) is None:
        message = f"Invalid target offset '{token.text}'"
        findings.error("target", message, token.location, token.line)
