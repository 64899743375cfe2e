"""``[defaultboot]`` and the automatic menu (scan_check_defaultboot, scan_build_automenu)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.zipl import scan, sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.zipl.refusal import Findings


def check_defaultboot(
    tokens: scan.TokenList, path: str, findings: Findings
) -> scan.DefaultKind | None:
    """Check ``[defaultboot]`` and return its kind, or None if it is unknown."""
    heading = tokens.find(DEFAULTBOOT, scan.TokenKind.SECTION)
    if heading is None:
        message = f"No '{DEFAULTBOOT}' section found and no section specified on command line"
        findings.error("no-defaultboot", message, Location(path))
        return None
    sections.report_duplicate(tokens, heading, findings)
    data = sections.read_section(tokens, heading, findings)
    default = data.keywords.get(Keyword.DEFAULT)
    if default is not None and tokens.find(default.text, scan.TokenKind.SECTION) is None:
        message = f"no such section '{default.text}'"
        findings.error_at("default-missing", message, default, _near_miss(tokens, default.text))
    kind = _kind(data, tokens[heading], findings)
    if kind is scan.DefaultKind.AUTO:
        sections.check_target(data.keywords, findings)
    if kind is not None:
        sections.check_section_keywords(kind, data, tokens[heading], findings)
    return kind


def _near_miss(tokens: scan.TokenList, name: str) -> str | None:
    """Return a hint with the title or section that was probably meant; zipl compares all of it."""
    names = [t.text for t in tokens if t.kind is scan.TokenKind.SECTION and t.text != DEFAULTBOOT]
    inside = [each for each in names if name and (name in each or each in name)]
    return f"default= requires the complete title: {inside[0]}" if inside else None


def _kind(
    data: sections.SectionData, heading: scan.Token, findings: Findings
) -> scan.DefaultKind | None:
    """Return the kind of a ``[defaultboot]`` (scan_get_defaultboot_type)."""
    keywords = data.keywords
    if Keyword.DEFAULTAUTO in keywords or Keyword.TARGET in keywords:
        auto = Keyword.DEFAULTAUTO if Keyword.DEFAULTAUTO in keywords else Keyword.TARGET
        if Keyword.DEFAULTMENU in keywords:
            _report_two(data, auto, Keyword.DEFAULTMENU, auto, findings)
        elif Keyword.TARGET not in keywords:
            message = (
                f"Keyword 'target' required in section '{DEFAULTBOOT}'"
                " when specifying 'defaultauto'"
            )
            findings.error_at("defaultboot-target", message, heading)
        return scan.DefaultKind.AUTO
    if Keyword.DEFAULTMENU in keywords:
        if Keyword.DEFAULT in keywords:
            _report_two(data, Keyword.DEFAULTMENU, Keyword.DEFAULT, Keyword.DEFAULTAUTO, findings)
        return scan.DefaultKind.MENU
    if Keyword.DEFAULT in keywords:
        return scan.DefaultKind.SECTION
    message = (
        f"Section '{DEFAULTBOOT}' requires one of keywords 'default', 'defaultmenu',"
        " 'defaultauto' or 'target'"
    )
    findings.error_at("defaultboot-kind", message, heading)
    return None


def _report_two(
    data: sections.SectionData, first: Keyword, second: Keyword, named: Keyword, findings: Findings
) -> None:
    token = max(data.keywords[first], data.keywords[second], key=lambda token: token.line)
    message = (
        f"Only one of keywords 'default', 'defaultmenu' and '{named}' allowed"
        f" in section '{DEFAULTBOOT}'"
    )
    findings.error_at("defaultboot-kind", message, token)


def build_automenu(tokens: scan.TokenList, findings: Findings) -> scan.TokenList:
    """Return the tokens with ``[defaultboot]`` replaced by the automatic menu.

    Every section with an image gets a position, in order. Those without any target keyword
    inherit the target keywords of ``[defaultboot]``.
    """
    heading = tokens.find(DEFAULTBOOT, scan.TokenKind.SECTION)
    if heading is None:
        return tokens
    _report_leading(tokens, findings)
    boot = sections.read_section(tokens, heading, findings)
    inherited = [
        boot.keywords[word]._replace(line=0)
        for word in scan.TARGET_KEYWORDS
        if word in boot.keywords
    ]
    result: list[scan.Token] = []
    entries: list[scan.Token] = []
    for index, token in enumerate(tokens):
        if not token.is_heading:
            continue
        if token.kind is scan.TokenKind.SECTION and token.text == DEFAULTBOOT:
            continue
        result += [token, *tokens.body(index)]
        # zipl also refuses a menu with the name of its own menu, but no menu can have that name.
        is_section = token.kind is scan.TokenKind.SECTION
        if is_section and _enters_menu(tokens, index, entries, inherited, result, findings):
            entries.append(token)
    if not entries:
        message = "Cannot build automenu: no IPL entries available"
        findings.error("automenu-empty", message, tokens[heading].location)
    return scan.TokenList([*result, *_automenu(tokens[heading], boot, inherited, entries)])


def _report_leading(tokens: scan.TokenList, findings: Findings) -> None:
    for token in tokens:
        if token.is_heading:
            return
        sections.report_outside(token, findings)


def _enters_menu(
    tokens: scan.TokenList,
    heading: int,
    entries: Sequence[scan.Token],
    inherited: Sequence[scan.Token],
    result: list[scan.Token],
    findings: Findings,
) -> bool:
    """Return whether a section gets a position, and add what it inherits to `result`."""
    data = sections.read_section(tokens, heading, findings)
    if scan.entry_kind(data.keywords) is not scan.EntryKind.IPL:
        return False
    most = sections.MENU_POSITIONS
    if len(entries) == most:
        message = f"Cannot build automenu: too many IPL sections defined (max {most})"
        findings.error("automenu-full", message, tokens[heading].location)
        return False
    if not any(word in data.keywords for word in scan.TARGET_KEYWORDS):
        result += inherited
    return True


def _automenu(
    heading: scan.Token,
    boot: sections.SectionData,
    inherited: Sequence[scan.Token],
    entries: Sequence[scan.Token],
) -> list[scan.Token]:
    at = heading.location
    menu = [
        scan.Token(scan.TokenKind.SECTION, DEFAULTBOOT, 0, at),
        scan.Token(scan.TokenKind.KEYWORD, sections.AUTOMENU, 0, at, Keyword.DEFAULTMENU),
        scan.Token(scan.TokenKind.MENU, sections.AUTOMENU, 0, at),
    ]
    default = boot.keywords.get(Keyword.DEFAULT)
    positions = [i for i, entry in enumerate(entries, 1) if default and entry.text == default.text]
    if default is not None and positions:
        menu.append(default._replace(line=0, text=str(positions[-1])))
    copied = (Keyword.PROMPT, Keyword.TIMEOUT, Keyword.SECURE)
    menu += [boot.keywords[word]._replace(line=0) for word in copied if word in boot.keywords]
    menu += inherited
    menu += [
        scan.Token(scan.TokenKind.NUMBER, entry.text, 0, entry.location, number=number)
        for number, entry in enumerate(entries, 1)
    ]
    return menu
