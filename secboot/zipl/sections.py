"""zipl's rules for sections and menus (zipl/src/scan.c: scan_check and the functions it calls)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.zipl import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.zipl.refusal import Findings

_BLOCK_SIZES = {512, 1024, 2048, 4096}
_ECKD_TYPES = {"cdl", "ldl"}
_BLOCK_TYPES = {"scsi", "fba"}
_TARGET_NUMBERS: tuple[tuple[Keyword, str, Callable[[str], bool]], ...] = (
    (Keyword.TARGETGEOMETRY, "geometry", lambda text: min(scan.geometry(text) or (0,)) > 0),
    (Keyword.TARGETBLOCKSIZE, "blocksize", lambda text: scan.whole_int(text) in _BLOCK_SIZES),
    (Keyword.TARGETOFFSET, "offset", lambda text: scan.whole_int(text) is not None),
)
_NEED_BASE = (Keyword.TARGETTYPE, *(keyword for keyword, *_ in _TARGET_NUMBERS))

AUTOMENU = "zipl-automatic-menu"
"""The name of the menu that zipl generates (SCAN_AUTOMENU_NAME). If it is empty, that was reported."""
MENU_POSITIONS = 62
"""The highest position in a boot menu (BOOT_MENU_ENTRIES)."""


class SectionData:
    """The assignments of one section or menu; only the first for each keyword."""

    def __init__(self) -> None:
        self.keywords: dict[Keyword, scan.Token] = {}
        self.positions: dict[int, scan.Token] = {}


def read_section(
    tokens: scan.TokenList, heading: int, findings: Findings, *, menu: bool = False
) -> SectionData:
    """Collect the assignments of a section (scan_get_section_keywords)."""
    data = SectionData()
    for token in tokens.body(heading):
        if token.kind is scan.TokenKind.NUMBER and menu:
            _read_position(token, data, findings)
        elif token.kind is scan.TokenKind.NUMBER:
            message = f"number assignment not allowed in section '{tokens[heading].text}'"
            findings.error_at("number-in-section", message, token)
        elif token.keyword in data.keywords:
            message = f"keyword '{token.keyword}' already specified"
            findings.error_at("keyword-twice", message, token)
        elif token.keyword is not None:
            data.keywords[token.keyword] = token
    return data


def _read_position(token: scan.Token, data: SectionData, findings: Findings) -> None:
    if token.number <= 0:
        findings.error_at("position-range", "position must be greater than zero", token)
    elif token.number > MENU_POSITIONS:
        findings.error_at("position-range", f"position must not exceed {MENU_POSITIONS}", token)
    elif token.number in data.positions:
        findings.error_at("position-twice", f"position {token.number} already specified", token)
    else:
        data.positions[token.number] = token


def check_all(tokens: scan.TokenList, findings: Findings) -> None:
    """Check every section and menu (scan_check)."""
    outside = True
    for index, token in enumerate(tokens):
        if token.kind is scan.TokenKind.SECTION:
            outside = False
            _check_section(tokens, index, findings)
        elif token.kind is scan.TokenKind.MENU:
            outside = False
            _check_menu(tokens, index, findings)
        elif outside:
            report_outside(token, findings)


def report_outside(token: scan.Token, findings: Findings) -> None:
    """Record an assignment before the first section."""
    findings.error_at("outside-section", f"{token.kind} not allowed outside of section", token)


def report_duplicate(tokens: scan.TokenList, heading: int, findings: Findings) -> None:
    """Record the next heading with the same name as this one, if any."""
    first = tokens[heading]
    again = tokens.find(first.text, first.kind, heading + 1)
    if again is not None:
        kind = "section" if first.kind is scan.TokenKind.SECTION else "menu"
        message = f"{kind} name '{first.text}' already specified"
        findings.error_at(f"{kind}-twice", message, tokens[again])


def _check_section(tokens: scan.TokenList, heading: int, findings: Findings) -> None:
    report_duplicate(tokens, heading, findings)
    data = read_section(tokens, heading, findings)
    if tokens[heading].text == DEFAULTBOOT:
        return
    kind = scan.entry_kind(data.keywords)
    if kind is scan.EntryKind.DUMPFS:
        message = "Option dumptofs is deprecated, use dumpto instead"
        findings.error("dumptofs", message, data.keywords[Keyword.DUMPTOFS].location)
        return
    if kind is scan.EntryKind.UNKNOWN:
        message = (
            f"section '{tokens[heading].text}' must contain either one of keywords 'image',"
            " 'segment', 'dumpto', 'dumptofs', 'mvdump' or 'tape'"
        )
        findings.error_at("section-type", message, tokens[heading])
        return
    check_section_keywords(kind, data, tokens[heading], findings)
    check_target(data.keywords, findings)


def check_section_keywords(
    kind: scan.EntryKind | scan.DefaultKind,
    data: SectionData,
    heading: scan.Token,
    findings: Findings,
) -> None:
    """Check the keywords of a section (the second half of scan_check_section_data)."""
    _check_keywords(scan.SECTION_RULES[kind], data, heading, findings)
    segment = data.keywords.get(Keyword.SEGMENT)
    if segment is not None and scan.split_address(segment.text)[1] is None:
        findings.error_at("segment-address", "keyword 'segment' requires load address", segment)


def _check_keywords(
    rules: scan.KeywordRules, data: SectionData, heading: scan.Token, findings: Findings
) -> None:
    called = "menu section" if heading.kind is scan.TokenKind.MENU else "section"
    for keyword in scan.CHECK_ORDER:
        token = data.keywords.get(keyword)
        if token is None and keyword in rules.required:
            message = f"missing keyword '{keyword}' in {called} '{heading.text}'"
            findings.error_at("keyword-missing", message, heading)
        elif token is not None and rules.forbids(keyword):
            message = f"keyword '{keyword}' not allowed in {called} '{heading.text}'"
            findings.error_at("keyword-not-allowed", message, token)


def _check_menu(tokens: scan.TokenList, heading: int, findings: Findings) -> None:
    report_duplicate(tokens, heading, findings)
    data = read_section(tokens, heading, findings, menu=True)
    _check_keywords(scan.MENU_RULES, data, tokens[heading], findings)
    _check_default_position(data, findings)
    _check_number(data.keywords.get(Keyword.PROMPT), "prompt", findings)
    _check_number(data.keywords.get(Keyword.TIMEOUT), "timeout", findings)
    for _, token in sorted(data.positions.items()):
        if tokens.find(token.text, scan.TokenKind.SECTION) is None:
            findings.error_at("menu-section-missing", f"section '{token.text}' not found", token)
    if not data.positions and tokens[heading].text != AUTOMENU:
        message = f"no boot configuration specified in menu '{tokens[heading].text}'"
        findings.error_at("menu-empty", message, tokens[heading])
    check_target(data.keywords, findings)


def _check_default_position(data: SectionData, findings: Findings) -> None:
    token = data.keywords.get(Keyword.DEFAULT)
    if token is None:
        return
    number = scan.whole_int(token.text)
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
    findings.error_at("menu-default", message, token)


def _check_number(token: scan.Token | None, name: str, findings: Findings) -> None:
    if token is None:
        return
    number = scan.whole_int(token.text)
    if number is None:
        message = f"{name} value must be a number"
    elif name == "prompt" and number not in {0, 1}:
        message = "prompt value is out of range (must be 0 or 1)"
    elif number < 0:
        message = f"{name} value is out of range"
    else:
        return
    findings.error_at(f"menu-{name}", message, token)


def check_target(keywords: Mapping[Keyword, scan.Token], findings: Findings) -> None:
    """Check the target keywords of one section, menu or ``[defaultboot]``."""
    base = keywords.get(Keyword.TARGETBASE)
    if base is None:
        alone = next((keywords[word] for word in _NEED_BASE if word in keywords), None)
        if alone is not None:
            message = f"keyword 'targetbase' required when specifying '{alone.keyword}'"
            findings.error_at("target", message, alone)
        return
    _check_type(base, keywords, findings)
    for keyword, called, valid in _TARGET_NUMBERS:
        token = keywords.get(keyword)
        if token is not None and not valid(token.text):
            findings.error_at("target", f"Invalid target {called} '{token.text}'", token)
        elif token is None and keyword is not Keyword.TARGETGEOMETRY:
            message = f"Keyword '{keyword}' required when specifying 'targetbase'"
            findings.error_at("target", message, base)


def _check_type(
    base: scan.Token, keywords: Mapping[Keyword, scan.Token], findings: Findings
) -> None:
    kind = keywords.get(Keyword.TARGETTYPE)
    size = keywords.get(Keyword.TARGETGEOMETRY)
    if kind is None:
        message = "keyword 'targettype' required when specifying 'targetbase'"
        findings.error_at("target", message, base)
    elif kind.text.lower() in _ECKD_TYPES:
        if size is None:
            message = f"keyword 'targetgeometry' required when specifying 'targettype' {kind.text}"
            findings.error_at("target", message, kind)
    elif kind.text.lower() in _BLOCK_TYPES:
        if size is not None:
            message = f"keyword 'targetgeometry' not allowed for 'targettype' {kind.text}"
            findings.error_at("target", message, size)
    else:
        findings.error_at("target", f"Unrecognized 'targettype' value '{kind.text}'", kind)
