"""What a reboot changes: the program that the re-IPL settings select, and its parameter line.

A reboot uses the settings in /sys/firmware/reipl, which are those of the last IPL unless somebody
changed them. With zipl's own loader or QEMU's, LOADPARM selects the program (type ccw: menu_param
in zipl/boot/menu.c, get_loadparm_index in pc-bios/s390-ccw/main.c); with the machine's loader, the
boot program number does (fcp, nvme, eckd: chreipl(8)). The kernel then appends IPL PARM or SCPDATA
to its line, or replaces the line with it if it starts with ``=``; but not in a secure guest
(append_ipl_block_parm and setup_boot_command_line in arch/s390/boot/ipl_parm.c).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.formats.zipl_parameters import ZiplEnvironment
    from secboot.ipl.next_ipl import Choice
    from secboot.running.firmware import IplSource
    from secboot.running.system import RebootSettings

_LIST_DIRECTED = frozenset({"fcp", "nvme", "eckd"})
_NUMBER = re.compile(r"([0-9]+)(?: *(S(?:S|[0-9]+)?))?", re.ASCII)
_SITE = re.compile(r"[^S]*S([0-9])", re.ASCII)
_SITE_OF_SUBCHANNEL = "SS"
_GRUB = re.compile(r"[0-9]*[gG][0-9].*", re.ASCII)
_LEADING_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_NO_RE_IPLS = frozenset({"ipl", "dump", "stop", "vmcmd"})
"""Actions of chshut(8) that use other settings, or do not start anything."""
_MAX_NUMBER = 62
"""The highest number in a menu (zipl.conf(5)), and so in a record."""


class Chooses(StrEnum):
    """What the re-IPL settings select in the boot record."""

    DEFAULT = "default"
    """The program that also starts without them."""
    ENTRY = "entry"
    """Another program in the record."""
    NOTHING = "nothing"
    """A program that the record does not have: the loader stops."""
    MENU = "menu"
    """The boot menu, which waits for a selection."""
    ELSEWHERE = "elsewhere"
    """A named saved system: no disk is read."""
    OTHER = "other"
    """A reboot does something other than a re-IPL."""
    UNKNOWN = "unknown"


class _Chosen(NamedTuple):
    """What is selected, the setting that selects it in words, the choice, and why it is unknown."""

    chooses: Chooses
    asked: str = ""
    choice: Choice | None = None
    why: str = ""


class Reboot(NamedTuple):
    """What a reboot will do.

    `source` are the settings. `asked` is the setting that selects, in words (``LOADPARM 9``), empty
    if none does; `entry` is the name of the entry that starts, `recorded` its line without the text
    of the settings, and `line` the line that its kernel receives; None if unknown. `text` is the
    text of the settings as the kernel reads it; empty if there is none or the kernel does not read
    it. `why` says why something is unknown.
    """

    source: IplSource
    chooses: Chooses
    asked: str = ""
    entry: str | None = None
    recorded: str | None = None
    line: str | None = None
    text: str = ""
    why: str = ""

    @property
    def replaces(self) -> bool:
        """Whether the text replaces the whole line, whatever is started."""
        return self.text.startswith("=")

    def describe(self) -> str:
        """Describe it in one sentence: ``from ccw 0.0.0120, the default 'linux'``."""
        if self.source.type == "unknown":
            return "unknown: the kernel was not IPLed from a device"
        if self.chooses is Chooses.OTHER:
            return f"no re-IPL: {self.why}"
        device = visible(self.source.device or self.source.address.get("name", ""))
        parts = [f"from {visible(self.source.type)} {device}".rstrip(), self._what()]
        if self.replaces:
            parts.append(f"{self.source.text_name} replaces the line: '{visible(self.text[1:])}'")
        elif self.text:
            parts.append(f"{self.source.text_name} adds '{visible(self.text)}'")
        elif self.source.parm:
            parts.append(f"{self.source.text_name} is not read: '{visible(self.source.parm)}'")
        return ", ".join(parts)

    def _what(self) -> str:
        by = f" ({self.asked})" if self.asked else ""
        name = "" if self.entry is None else f" '{visible(self.entry)}'"
        match self.chooses:
            case Chooses.DEFAULT:
                return f"the default{name}{by}"
            case Chooses.ENTRY:
                return f"not the default, but{name or ' another entry'}{by}"
            case Chooses.NOTHING:
                return f"an entry that the boot record does not have{by}"
            case Chooses.MENU:
                return f"the entry selected in the boot menu{by}"
            case Chooses.ELSEWHERE:
                return "a named saved system, not a disk"
            case Chooses.OTHER | Chooses.UNKNOWN:
                return f"unknown entry: {self.why}"


def at_reboot(settings: RebootSettings, choices: Sequence[Choice]) -> Reboot:
    """Return what a reboot does with these settings, and with a record that has these choices.

    Empty `choices` mean an unknown record; the record of another disk is unknown, too. If it is
    unknown whether a secure guest will start a secure guest again, it is assumed.
    """
    if settings.on_reboot in _NO_RE_IPLS:
        why = f"shutdown_actions/on_reboot is '{settings.on_reboot}'"
        return Reboot(settings.source, Chooses.OTHER, why=why)
    source, choices = settings.source, () if settings.elsewhere else choices
    chooses, asked, start, why = _chosen(source, choices)
    if start is None and chooses is Chooses.DEFAULT:
        start = next((each for each in choices if each.is_default), None)
    known = None if start is None else start.secure
    secure = settings.secure_guest if known is None else known
    text = "" if secure else text_as_read(source)
    recorded = None if start is None else start.line
    if recorded is not None and start is not None and start.environment is not None:
        recorded = _expanded(recorded, source.loadparm, start.environment)
    line = _line(recorded, text)
    name = None if start is None else start.title or None
    return Reboot(source, chooses, asked, name, recorded, line, text, why)


def text_as_read(source: IplSource) -> str:
    """Return the text as the kernel reads it: all capitals become lower case, a NUL byte ends it.

    SCPDATA with a non-ASCII byte is ignored (ipl_block_get_ascii_scpdata).
    """
    text = (source.parm or "").partition("\0")[0]
    if source.type in _LIST_DIRECTED and not text.isascii():
        return ""
    return text if any("a" <= each <= "z" for each in text) else text.lower()


def _line(recorded: str | None, text: str) -> str | None:
    """Return the kernel's line with the text of the settings (append_ipl_block_parm)."""
    if not text.isascii():  # its conversion from EBCDIC is unknown
        return None
    if text.startswith("="):
        return text[1:]
    if recorded is None or not text:
        return recorded
    return f"{recorded.strip()} {text}"


def _chosen(source: IplSource, choices: Sequence[Choice]) -> _Chosen:
    if source.type == "nss":
        return _Chosen(Chooses.ELSEWHERE, "", None, "")
    by_grub = any(_GRUB.fullmatch(each.loadparm or "") for each in choices)
    if by_grub and _GRUB.fullmatch(source.loadparm):
        return _of_grub(source, choices)
    if source.type in _LIST_DIRECTED:
        return _by_number(source.bootprog, "boot program", choices)
    if source.type == "ccw":
        return _by_loadparm(source.loadparm, choices)
    return _Chosen(Chooses.UNKNOWN, "", None, f"its type is '{visible(source.type)}'")


def _by_loadparm(loadparm: str, choices: Sequence[Choice]) -> _Chosen:
    """Read LOADPARM as zipl's loader does, and QEMU's as well, except for leading blanks."""
    asked = f"LOADPARM {visible(loadparm)}" if loadparm else ""
    if loadparm.startswith("PROMPT"):
        return _Chosen(Chooses.MENU, asked, None, "")
    number = _LEADING_NUMBER.match(loadparm)
    if number is not None and (_NUMBER.fullmatch(loadparm) or _GRUB.fullmatch(loadparm)):
        return _by_number(number[0], "LOADPARM", choices)
    if not loadparm or _site(loadparm) is not None or loadparm == _SITE_OF_SUBCHANNEL:
        return _Chosen(Chooses.DEFAULT, asked, None, "")
    return _Chosen(Chooses.UNKNOWN, asked, None, f"{asked} has an unknown form")


def _of_grub(source: IplSource, choices: Sequence[Choice]) -> _Chosen:
    """Read SUSE's form: zipl's entry, and the entry that grub2-emu starts from its menu."""
    asked = f"LOADPARM {visible(source.loadparm)}"
    number, _, place = source.loadparm.lower().partition("g")
    if source.type in _LIST_DIRECTED:
        number = source.bootprog
    default = next((_number(each) for each in choices if each.is_default), 0)
    wanted = f"{number.lstrip('0') or default}g{place}"
    for each in choices:
        if each.loadparm == wanted:
            return _Chosen(Chooses.DEFAULT if each.is_default else Chooses.ENTRY, asked, each, "")
    return _Chosen(Chooses.UNKNOWN, asked, None, f"the entry for {asked} is unknown")


def _by_number(text: str, what: str, choices: Sequence[Choice]) -> _Chosen:
    asked = f"{what} {visible(text)}" if text.strip("0") else ""
    if not text.strip("0"):
        return _Chosen(Chooses.DEFAULT, asked, None, "")
    if _LEADING_NUMBER.fullmatch(text) is None:
        return _Chosen(
            Chooses.UNKNOWN, asked, None, f"the {what} is {visible(text)!r}, which is not a number"
        )
    digits = text.lstrip("0")
    number = int(digits) if len(digits) <= 2 else _MAX_NUMBER + 1
    if not choices and number <= _MAX_NUMBER:
        return _Chosen(Chooses.UNKNOWN, asked, None, f"{asked}, and the boot record is unknown")
    same = [each for each in choices if _number(each) == number]
    if not same:
        return _Chosen(Chooses.NOTHING, asked, None, "")
    start = next((each for each in same if each.is_default), same[0])
    return _Chosen(Chooses.DEFAULT if start.is_default else Chooses.ENTRY, asked, start, "")


def chosen_by_loadparm(source: IplSource) -> bool:
    """Whether LOADPARM selects what starts, and not the boot program number."""
    return source.type not in _LIST_DIRECTED or _GRUB.fullmatch(source.loadparm) is not None


def choosing(source: IplSource, number: int) -> tuple[str, str]:
    """Return the setting that selects the program with this number, and its value.

    The part of LOADPARM that selects a site of the zIPL environment is kept.
    """
    if not chosen_by_loadparm(source):
        return "bootprog", str(number)
    named = _site(source.loadparm) is not None or source.loadparm == _SITE_OF_SUBCHANNEL
    site = source.loadparm if named else site_alone(source.loadparm)
    return "loadparm", f"{number}{site[site.find('S') :] if site else ''}"


def chosen_number(source: IplSource) -> int:
    """Return the number of the program that the settings select; 0 for none."""
    text = source.loadparm if chosen_by_loadparm(source) else source.bootprog
    found = _LEADING_NUMBER.match(text)
    return int(found[0]) if found is not None and len(found[0]) <= len(str(2**31)) else 0


def choosing_none(source: IplSource) -> tuple[str, str]:
    """Return the setting that selects the program, and its value for the default."""
    if not chosen_by_loadparm(source):
        return "bootprog", "0"
    return "loadparm", choosing(source, 0)[1].removeprefix("0")


def site_alone(loadparm: str) -> str:
    """Return LOADPARM without its number: the part that selects a site of the zIPL environment."""
    found = _NUMBER.fullmatch(loadparm)
    return "" if found is None else (found[2] or "")


def _number(choice: Choice) -> int:
    """Its number in the menu of the record; 0 without a menu."""
    found = _LEADING_NUMBER.match(choice.loadparm or "")
    return 0 if found is None else int(found[0])


def _site(loadparm: str) -> str | None:
    """The site of the zIPL environment: the digit after the first S (zipl/boot/stage3.c)."""
    found = _SITE.match(loadparm)
    return None if found is None else found[1]


def _expanded(line: str, loadparm: str, environment: ZiplEnvironment) -> str | None:
    """The line with its variables replaced; None if the subchannel selects the site."""
    if _SITE_OF_SUBCHANNEL in loadparm:
        lines = {environment.expand(line, site) for site in (None, *environment.sites)}
        return lines.pop() if len(lines) == 1 else None
    return environment.expand(line, _site(loadparm))
