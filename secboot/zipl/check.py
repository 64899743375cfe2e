"""zipl's rules for sections and menus (zipl/src/scan.c: scan_check and what it calls)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.zipl.keywords import (
    CHECK_ORDER,
    MENU_RULES,
    SECTION_RULES,
    KeywordRules,
    SectionType,
    geometry,
    section_type,
    split_address,
    whole_int,
)
from secboot.zipl.tokens import Token, TokenKind, TokenList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.zipl.refusal import Findings

_BLOCK_SIZES = {512, 1024, 2048, 4096}
_ECKD_TYPES = {"cdl", "ldl"}
_BLOCK_TYPES = {"scsi", "fba"}
_NEED_BASE = (
    Keyword.TARGETTYPE,
    Keyword.TARGETGEOMETRY,
    Keyword.TARGETBLOCKSIZE,
    Keyword.TARGETOFFSET,
)

MENU_POSITIONS = 62
"""The highest position in a boot menu (BOOT_MENU_ENTRIES)."""


class SectionData:
    """The assignments of one section or menu; of several to one keyword the first."""

    def __init__(self) -> None:
        self.keywords: dict[Keyword, Token] = {}
        self.positions: dict[int, Token] = {}


def read_section(
    tokens: TokenList, heading: int, findings: Findings, *, menu: bool = False
) -> SectionData:
    """Collect a section's assignments (scan_get_section_keywords)."""
    data = SectionData()
    for token in tokens.body(heading):
        if token.kind is TokenKind.NUMBER and menu:
            _read_position(token, data, findings)
        elif token.kind is TokenKind.NUMBER:
            message = f"number assignment not allowed in section '{tokens[heading].text}'"
            findings.error("number-in-section", message, token.location, token.line)
        elif token.keyword in data.keywords:
            message = f"keyword '{token.keyword}' already specified"
            findings.error("keyword-twice", message, token.location, token.line)
        elif token.keyword is not None:
            data.keywords[token.keyword] = token
    return data


def _read_position(token: Token, data: SectionData, findings: Findings) -> None:
    if token.number <= 0:
        message = "position must be greater than zero"
        findings.error("position-range", message, token.location, token.line)
    elif token.number > MENU_POSITIONS:
        message = f"position must not exceed {MENU_POSITIONS}"
        findings.error("position-range", message, token.location, token.line)
    elif token.number in data.positions:
        message = f"position {token.number} already specified"
        findings.error("position-twice", message, token.location, token.line)
    else:
        data.positions[token.number] = token


def check_all(tokens: TokenList, findings: Findings) -> None:
    """Check every section and menu (scan_check)."""
    outside = True
    for index, token in enumerate(tokens):
        if token.kind is TokenKind.SECTION:
            outside = False
            _check_section(tokens, index, findings)
        elif token.kind is TokenKind.MENU:
            outside = False
            _check_menu(tokens, index, findings)
        elif outside:
            report_outside(token, findings)


def report_outside(token: Token, findings: Findings) -> None:
    """Note an assignment before the first section."""
    message = f"{token.kind} not allowed outside of section"
    findings.error("outside-section", message, token.location, token.line)


def report_duplicate(tokens: TokenList, heading: int, findings: Findings) -> None:
    """Note the next heading that has the name of this one."""
    first = tokens[heading]
    again = tokens.find(first.text, first.kind, heading + 1)
    if again is not None:
        kind = "section" if first.kind is TokenKind.SECTION else "menu"
        message = f"{kind} name '{first.text}' already specified"
        findings.error(f"{kind}-twice", message, tokens[again].location, tokens[again].line)


def _check_section(tokens: TokenList, heading: int, findings: Findings) -> None:
    report_duplicate(tokens, heading, findings)
    data = read_section(tokens, heading, findings)
    if tokens[heading].text == DEFAULTBOOT:
        return
    kind = section_type(data.keywords)
    if kind is SectionType.DUMPFS:
        message = "Option dumptofs is deprecated, use dumpto instead"
        findings.error("dumptofs", message, data.keywords[Keyword.DUMPTOFS].location)
        return
    if kind is None:
        _report_no_type(tokens[heading], findings)
        return
    check_section_keywords(kind, data, tokens[heading], findings)
    check_target(data.keywords, findings)


def _report_no_type(heading: Token, findings: Findings) -> None:
    message = (
        f"section '{heading.text}' must contain either one of keywords 'image',"
        " 'segment', 'dumpto', 'dumptofs', 'mvdump' or 'tape'"
    )
    findings.error("section-type", message, heading.location, heading.line)


def check_section_keywords(
    kind: SectionType, data: SectionData, heading: Token, findings: Findings
) -> None:
    """Check which keywords a section has (the second half of scan_check_section_data)."""
    _check_keywords(SECTION_RULES[kind], data, heading, findings)
    segment = data.keywords.get(Keyword.SEGMENT)
    if segment is not None and split_address(segment.text)[1] is None:
        message = "keyword 'segment' requires load address"
        findings.error("segment-address", message, segment.location, segment.line)


def _check_keywords(
    rules: KeywordRules, data: SectionData, heading: Token, findings: Findings
) -> None:
    called = "menu section" if heading.kind is TokenKind.MENU else "section"
    for keyword in CHECK_ORDER:
        token = data.keywords.get(keyword)
        if token is None and keyword in rules.required:
            message = f"missing keyword '{keyword}' in {called} '{heading.text}'"
            findings.error("keyword-missing", message, heading.location, heading.line)
        elif token is not None and rules.forbids(keyword):
            message = f"keyword '{keyword}' not allowed in {called} '{heading.text}'"
            findings.error("keyword-not-allowed", message, token.location, token.line)


def _check_menu(tokens: TokenList, heading: int, findings: Findings) -> None:
    report_duplicate(tokens, heading, findings)
    data = read_section(tokens, heading, findings, menu=True)
    _check_keywords(MENU_RULES, data, tokens[heading], findings)
    _check_default_position(data, findings)
    _check_number(data.keywords.get(Keyword.PROMPT), "prompt", findings)
    _check_number(data.keywords.get(Keyword.TIMEOUT), "timeout", findings)
    for _, token in sorted(data.positions.items()):
        if tokens.find(token.text, TokenKind.SECTION) is None:
            message = f"section '{token.text}' not found"
            findings.error("menu-section-missing", message, token.location, token.line)
    if not data.positions:
        name, location = tokens[heading].text, tokens[heading].location
        message = f"no boot configuration specified in menu '{name}'"
        findings.error("menu-empty", message, location, tokens[heading].line)
    check_target(data.keywords, findings)


def _check_default_position(data: SectionData, findings: Findings) -> None:
    token = data.keywords.get(Keyword.DEFAULT)
    if token is None:
        return
    number = whole_int(token.text)
    if number is None:
        message = "default position must be a number"
    elif number < 1:
        message = "default position must be greater than zero"
    elif number > MENU_POSITIONS:
        message = "default position too large"
    elif number not in data.positions:
        message = f"menu position {number} not defined"
    else:
        return
    findings.error("menu-default", message, token.location, token.line)


def _check_number(token: Token | None, name: str, findings: Findings) -> None:
    if token is None:
        return
    number = whole_int(token.text)
    if number is None:
        message = f"{name} value must be a number"
    elif name == "prompt" and number not in {0, 1}:
        message = "prompt value is out of range (must be 0 or 1)"
    elif number < 0:
        message = f"{name} value is out of range"
    else:
        return
    findings.error(f"menu-{name}", message, token.location, token.line)


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
