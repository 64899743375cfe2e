"""How the running kernel's line came about: which entry it is, and what was added on the way.

On the way from the boot record to the kernel a line can change (zipl/boot/stage3.c and menu.c,
append_ipl_block_parm in the kernel's arch/s390/boot/ipl_parm.c): ``${NAME}`` is replaced from the
zIPL environment; text typed at the boot menu is added, or replaces all with a leading ``=``; the
menu adds ``BOOT_IMAGE=n``; and the kernel adds the IPL PARM or SCPDATA of the machine, or lets it
replace all when it begins with ``=``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import BLANKS
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from secboot.running.ipl_device import IplSource

_MENU_NUMBER = re.compile(r"(?:^|[ \t])BOOT_IMAGE=(\d+)(?=[ \t]|$)")


class KnownLine(NamedTuple):
    """A line that could have been IPLed: ``text`` as written, `source` in words."""

    source: str
    text: str


def explain(
    running: str,
    known: Sequence[KnownLine],
    environment: ZiplEnvironment | None = None,
    ipl: IplSource | None = None,
) -> str:
    """Say in one sentence where the running line comes from.

    The first of `known` that fits wins: what was IPLed most likely comes first.
    """
    running = running.strip(BLANKS)
    if ipl is not None and ipl.parm and ipl.parm.startswith("="):
        replaced = ipl.parm[1:].strip(BLANKS)
        if replaced.lower() == running.lower():
            return "IPL PARM begins with '=' and replaced the whole line"
    best: tuple[KnownLine, str, str] | None = None
    for line in known:
        for text, how in _as_booted(line.text, environment):
            rest = _rest(running, text.strip(BLANKS))
            if rest is not None and (best is None or len(rest) < len(best[2])):
                best = (line, how, rest)
    if best is None:
        return (
            "it is the line of no boot entry: an entry was changed since the boot, another disk"
            " was IPLed, or the line was replaced at IPL (IPL PARM or menu text with a leading '=')"
        )
    line, how, rest = best
    return ", ".join(
        [f"it is the line of {line.source}", *how.split("\n")[:-1], *_added(rest, ipl)]
    )


def _as_booted(text: str, environment: ZiplEnvironment | None) -> Iterable[tuple[str, str]]:
    """The forms that a line can have after its variables were replaced, each with how that was."""
    names = variables_of(text)
    if not names or environment is None:
        yield text, ""
        return
    shown = " and ".join(f"${{{name}}}" for name in dict.fromkeys(names))
    yield environment.expand(text), f"with {shown} from the zIPL environment\n"
    for site in environment.sites:
        yield (
            environment.expand(text, site),
            f"with {shown} from site {site} of the zIPL environment\n",
        )
    yield text, f"with {shown} as written, which this loader would have replaced\n"


def _rest(running: str, text: str) -> str | None:
    """What stands behind `text` in the running line, or None when it does not begin with it."""
    if running == text:
        return ""
    if not text:
        return running
    return (
        running[len(text) :] if running.startswith(text) and running[len(text)] in BLANKS else None
    )


def _added(rest: str, ipl: IplSource | None) -> list[str]:
    parts = []
    menu = _MENU_NUMBER.search(rest)
    if menu is not None:
        parts.append(f"the boot menu added BOOT_IMAGE={menu[1]}")
        rest = rest[: menu.start()] + rest[menu.end() :]
    rest = rest.strip(BLANKS)
    parm = None if ipl is None or ipl.parm is None else ipl.parm.strip(BLANKS)
    if parm and rest.lower().endswith(parm.lower()):
        parts.append(f"IPL PARM added '{rest[-len(parm) :]}'")
        rest = rest[: -len(parm)].strip(BLANKS)
    if rest:
        parts.append(f"'{rest}' was added at IPL (at the boot menu, or as IPL PARM)")
    return parts
