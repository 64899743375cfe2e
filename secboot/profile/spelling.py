"""What a word that nobody knows was probably meant to be.

A name on the kernel's command line that is one letter off does nothing, and nobody says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.kernel.command_line import (
    BOOT_CODE_NAMES,
    LAST_WINS_NAMES,
    MULTI_VALUED_NAMES,
    canonical,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

COMMON_NAMES = frozenset(
    {
        # Documentation/admin-guide/kernel-parameters.txt.
        "audit", "audit_backlog_limit", "debug", "default_hugepagesz", "init_on_alloc",
        "init_on_free", "initrd", "ignore_loglevel", "lockdown", "net.ifnames",
        "no_console_suspend", "page_poison", "panic_on_oops", "panic_on_warn",
        "quiet", "random.trust_cpu", "rootdelay", "rootwait", "spectre_v2",
        # Documentation/arch/s390 and the drivers there; kvm of s390.
        "conmode", "condev", "kvm.hpage", "kvm.nested", "zfcp.allow_lun_scan", "zfcp.dif", "zfcp.dix",
        # dracut.cmdline(7), and the older names that it still reads; boot= is that of its fips.
        "boot", "fips", "rd.auto", "rd.debug", "rd.emergency", "rd.lvm", "rd.luks", "rd.md", "rd.dm",
        "rd.neednet", "rd.retry", "rd.shell", "rd.timeout", "rdbreak", "rdinitdebug", "rdshell",
        # kernel-command-line(7) of systemd.
        "systemd.log_level", "systemd.show_status", "systemd.unit", "systemd.debug_shell",
    }
)  # fmt: skip
"""Names that stand on many lines, besides those of which it is known how their values add up."""

_SHORTEST = 4
"""Letters; of shorter names too many are one letter off another."""
_FEWEST = 3
"""Letters that tell which word goes on from there."""


_OTHERS = BOOT_CODE_NAMES | LAST_WINS_NAMES | MULTI_VALUED_NAMES | COMMON_NAMES
_CANONICAL = frozenset(map(canonical, _OTHERS))
_LONGER = tuple(sorted(name for name in _OTHERS if len(name) >= _SHORTEST))


def likely_name(name: str, known: Collection[str]) -> str | None:
    """Return the parameter that a name looks like without being it; None for nothing.

    `known` are those that must not be missed: two letters off look like them, too; of the others,
    one. Letters that changed places are one.
    """
    if name in known or canonical(name) in _CANONICAL:
        return None
    found = _nearest(name.lower(), known, 2)
    if found is None and len(name) >= _SHORTEST:
        found = _nearest(name.lower(), _LONGER, 1)
    return found


def likely_word(word: str, known: Iterable[str]) -> str | None:
    """Return which of a few words was probably meant: one that is hardly another, or cut short.

    Never one that says the opposite: ``at_most`` is not ``at_least``, ``not_present`` not `present`.
    """
    said = word.lower().replace("-", "_").replace(" ", "_")
    words = list(known)
    begun = [each for each in words if len(said) >= _FEWEST and each.startswith(said)]
    alike = [each for each in words if _same_start(said, each)]
    found = _nearest(said, words, 1) or _nearest(said, (e for e in words if e[:1] == said[:1]), 2)
    return found or next(iter(begun or alike), None)


def _same_start(one: str, other: str) -> bool:
    """Whether both go on differently after more than half of the shorter: ``params``."""
    half = min(len(one), len(other)) // 2 + 1
    return half > _FEWEST and one[:half] == other[:half]


def _nearest(word: str, known: Iterable[str], limit: int) -> str | None:
    """The one that the fewest mistakes lead to, `limit` at most."""
    found: tuple[int, str] | None = None
    for each in known:
        if abs(len(each) - len(word)) > limit:
            continue
        one, other = _differing(word, each)
        # One mistake is in one letter, or in two that are side by side.
        if limit == 1 and max(len(one), len(other)) > 2:
            continue
        distance = _distance(one, other)
        if distance <= limit and (found is None or distance < found[0]):
            found = distance, each
    return None if found is None else found[1]


def _differing(one: str, other: str) -> tuple[str, str]:
    """Both without what they begin and end with in common."""
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _distance(one: str, other: str) -> int:
    """How many letters are left out, too many, wrong, or have changed places with the next one."""
    two_ago: list[int] = []
    last = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        row = [at]
        for to, wanted in enumerate(other, 1):
            best = min(last[to] + 1, row[-1] + 1, last[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and (letter, one[at - 2]) == (other[to - 2], wanted):
                best = min(best, two_ago[to - 2] + 1)
            row.append(best)
        two_ago, last = last, row
    return last[-1]


def misspellings(name: str) -> str:
    """Return a pattern of what `likely_name` takes for a misspelling of a known name, and of the name.

    For the JSON Schema, where nothing but a pattern can tell.
    """
    any_case = "".join(f"[{c}{c.upper()}]" if c.isalpha() else "[-_]" for c in name)
    return f"(?:{any_case}|{_edited(name, 2)})"


def _edited(word: str, mistakes: int) -> str:
    """Return a pattern of all that up to so many mistakes make of a word."""
    if not mistakes:
        return word
    if not word:
        return f".{{0,{mistakes}}}"
    first, rest = word[0], word[1:]
    ways = [first + _edited(rest, mistakes), f".?{_edited(rest, mistakes - 1)}"]
    ways.append(f".{_edited(word, mistakes - 1)}")
    if rest:
        ways.append(rest[0] + first + _edited(rest[1:], mistakes - 1))
    return f"(?:{'|'.join(ways)})"
