"""``[defaultboot]`` and the automatic menu (scan_check_defaultboot, scan_build_automenu)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.zipl.sections import (
    MENU_POSITIONS,
    SectionData,
    check_section_keywords,
    check_target,
    read_section,
    report_duplicate,
    report_outside,
)
from secboot.zipl.tokens import (
    TARGET_KEYWORDS,
    DefaultKind,
    EntryKind,
    Token,
    TokenKind,
    TokenList,
    entry_kind,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.zipl.refusal import Findings

AUTOMENU = "zipl-automatic-menu"
"""The name that zipl gives to the menu it makes (SCAN_AUTOMENU_NAME)."""


def check_defaultboot(tokens: TokenList, path: str, findings: Findings) -> DefaultKind | None:
    """Check ``[defaultboot]`` and return which kind it is, as far as that can be told."""
    heading = tokens.find(DEFAULTBOOT, TokenKind.SECTION)
    if heading is None:
        message = f"No '{DEFAULTBOOT}' section found and no section specified on command line"
        findings.error("no-defaultboot", message, Location(path))
        return None
    report_duplicate(tokens, heading, findings)
    data = read_section(tokens, heading, findings)
    default = data.keywords.get(Keyword.DEFAULT)
    if default is not None and tokens.find(default.text, TokenKind.SECTION) is None:
        message = f"no such section '{default.text}'"
        findings.error_at("default-missing", message, default, _near_miss(tokens, default.text))
    kind = _kind(data, tokens[heading], findings)
    if kind is DefaultKind.AUTO:
        check_target(data.keywords, findings)
    if kind is not None:
        check_section_keywords(kind, data, tokens[heading], findings)
    return kind


def _near_miss(tokens: TokenList, name: str) -> str | None:
    """Name the title or section that was probably meant: zipl compares the whole of it."""
    names = [t.text for t in tokens if t.kind is TokenKind.SECTION and t.text != DEFAULTBOOT]
    inside = [each for each in names if name and (name in each or each in name)]
    return f"default= takes the whole title: {inside[0]}" if inside else None


def _kind(data: SectionData, heading: Token, findings: Findings) -> DefaultKind | None:
    """Tell the kind of a ``[defaultboot]`` (scan_get_defaultboot_type)."""
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
        return DefaultKind.AUTO
    if Keyword.DEFAULTMENU in keywords:
        if Keyword.DEFAULT in keywords:
            _report_two(data, Keyword.DEFAULTMENU, Keyword.DEFAULT, Keyword.DEFAULTAUTO, findings)
        return DefaultKind.MENU
    if Keyword.DEFAULT in keywords:
        return DefaultKind.SECTION
    message = (
        f"Section '{DEFAULTBOOT}' requires one of keywords 'default', 'defaultmenu',"
        " 'defaultauto' or 'target'"
    )
    findings.error_at("defaultboot-kind", message, heading)
    return None


def _report_two(
    data: SectionData, first: Keyword, second: Keyword, named: Keyword, findings: Findings
) -> None:
    token = max(data.keywords[first], data.keywords[second], key=lambda token: token.line)
    message = (
        f"Only one of keywords 'default', 'defaultmenu' and '{named}' allowed"
        f" in section '{DEFAULTBOOT}'"
    )
    findings.error_at("defaultboot-kind", message, token)


def build_automenu(tokens: TokenList, findings: Findings) -> TokenList:
    """Return the tokens with the automatic menu in place of ``[defaultboot]``.

    Every section with an image gets a position, in order. Those without any target keyword
    inherit the ones of ``[defaultboot]``.
    """
    heading = tokens.find(DEFAULTBOOT, TokenKind.SECTION)
    if heading is None:
        return tokens
    _report_leading(tokens, findings)
    boot = read_section(tokens, heading, findings)
    inherited = [
        boot.keywords[word]._replace(line=0) for word in TARGET_KEYWORDS if word in boot.keywords
    ]
    result: list[Token] = []
    entries: list[Token] = []
    for index, token in enumerate(tokens):
        if not token.is_heading:
            continue
        if token.kind is TokenKind.SECTION and token.text == DEFAULTBOOT:
            continue
        result += [token, *tokens.body(index)]
        # zipl also refuses a menu with the name of its own, but no menu can be called so.
        is_section = token.kind is TokenKind.SECTION
        if is_section and _enters_menu(tokens, index, entries, inherited, result, findings):
            entries.append(token)
    if not entries:
        message = "Cannot build automenu: no IPL entries available"
        findings.error("automenu-empty", message, tokens[heading].location)
    return TokenList([*result, *_automenu(tokens[heading], boot, inherited, entries)])


def _report_leading(tokens: TokenList, findings: Findings) -> None:
    for token in tokens:
        if token.is_heading:
            return
        report_outside(token, findings)


def _enters_menu(
    tokens: TokenList,
    heading: int,
    entries: Sequence[Token],
    inherited: Sequence[Token],
    result: list[Token],
    findings: Findings,
) -> bool:
    """Whether a section gets a position; adds what it inherits to `result`."""
    data = read_section(tokens, heading, findings)
    if entry_kind(data.keywords) is not EntryKind.IPL:
        return False
    if len(entries) == MENU_POSITIONS:
        message = f"Cannot build automenu: too many IPL sections defined (max {MENU_POSITIONS})"
        findings.error("automenu-full", message, tokens[heading].location)
        return False
    if not any(word in data.keywords for word in TARGET_KEYWORDS):
        result += inherited
    return True


def _automenu(
    heading: Token, boot: SectionData, inherited: Sequence[Token], entries: Sequence[Token]
) -> list[Token]:
    at = heading.location
    menu = [
        Token(TokenKind.SECTION, DEFAULTBOOT, 0, at),
        Token(TokenKind.KEYWORD, AUTOMENU, 0, at, Keyword.DEFAULTMENU),
        Token(TokenKind.MENU, AUTOMENU, 0, at),
    ]
    default = boot.keywords.get(Keyword.DEFAULT)
    positions = [i for i, entry in enumerate(entries, 1) if default and entry.text == default.text]
    if default is not None and positions:
        menu.append(default._replace(line=0, text=str(positions[-1])))
    copied = (Keyword.PROMPT, Keyword.TIMEOUT, Keyword.SECURE)
    menu += [boot.keywords[word]._replace(line=0) for word in copied if word in boot.keywords]
    menu += inherited
    menu += [
        Token(TokenKind.NUMBER, entry.text, 0, entry.location, number=number)
        for number, entry in enumerate(entries, 1)
    ]
    return menu
