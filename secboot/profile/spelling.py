"""What an unknown word was probably meant to be.

A parameter name on the kernel command line with one wrong letter is silently ignored.
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
        # Documentation/arch/s390 and its drivers; s390's kvm.
        "conmode", "condev", "kvm.hpage", "kvm.nested", "zfcp.allow_lun_scan", "zfcp.dif", "zfcp.dix",
        # dracut.cmdline(7), and older names that it still reads; boot= belongs to its fips module.
        "boot", "fips", "rd.auto", "rd.debug", "rd.emergency", "rd.lvm", "rd.luks", "rd.md", "rd.dm",
        "rd.neednet", "rd.retry", "rd.shell", "rd.timeout", "rdbreak", "rdinitdebug", "rdshell",
        # kernel-command-line(7) of systemd.
        "systemd.log_level", "systemd.show_status", "systemd.unit", "systemd.debug_shell",
    }
)  # fmt: skip
"""Common names, in addition to those for which it is known whether their values add up."""

_SHORTEST = 4
"""Letters; too many shorter names differ in only one letter."""
_FEWEST = 3
"""Letters of an abbreviation that identify a word."""


_OTHERS = BOOT_CODE_NAMES | LAST_WINS_NAMES | MULTI_VALUED_NAMES | COMMON_NAMES
_CANONICAL = frozenset(map(canonical, _OTHERS))
_LONGER = tuple(sorted(name for name in _OTHERS if len(name) >= _SHORTEST))


def likely_name(name: str, known: Collection[str]) -> str | None:
    """Return the parameter that a name is probably a misspelling of; None for none.

    For a name in `known`, which must not be missed, up to two letters may differ; for the others,
    one. Two swapped letters count as one.
    """
    if name in known or canonical(name) in _CANONICAL:
        return None
    found = _nearest(name.lower(), known, 2)
    if found is None and len(name) >= _SHORTEST:
        found = _nearest(name.lower(), _LONGER, 1)
    return found


def likely_word(word: str, known: Iterable[str]) -> str | None:
    """Return which of a few words was probably meant by a misspelled or abbreviated one.

    Never one with the opposite meaning: not ``at_least`` for ``at_most``, nor `present` for
    ``not_present``.
    """
    said = word.lower().replace("-", "_").replace(" ", "_")
    words = list(known)
    begun = [each for each in words if len(said) >= _FEWEST and each.startswith(said)]
    alike = [each for each in words if _same_start(said, each)]
    found = _nearest(said, words, 1) or _nearest(said, (e for e in words if e[:1] == said[:1]), 2)
    return found or next(iter(begun or alike), None)


def _same_start(one: str, other: str) -> bool:
    """Whether both share more than half of the shorter one: ``params``."""
    half = min(len(one), len(other)) // 2 + 1
    return half > _FEWEST and one[:half] == other[:half]


def _nearest(word: str, known: Iterable[str], limit: int) -> str | None:
    """Return the known word with the fewest mistakes, at most `limit`."""
    found: tuple[int, str] | None = None
    for each in known:
        if abs(len(each) - len(word)) > limit:
            continue
        one, other = _differing(word, each)
        # A single mistake affects one letter, or two adjacent ones.
        if limit == 1 and max(len(one), len(other)) > 2:
            continue
        distance = _distance(one, other)
        if distance <= limit and (found is None or distance < found[0]):
            found = distance, each
    return None if found is None else found[1]


def _differing(one: str, other: str) -> tuple[str, str]:
    """Return both words without their common start and end."""
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _distance(one: str, other: str) -> int:
    """Count the letters that are missing, added, wrong, or swapped with the next one."""
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
    """Return a pattern that matches a known name and what `likely_name` considers a misspelling of it.

    It is for the JSON Schema, which can use only patterns.
    """
    any_case = "".join(f"[{c}{c.upper()}]" if c.isalpha() else "[-_]" for c in name)
    return f"(?:{any_case}|{_edited(name, 2)})"


def _edited(word: str, mistakes: int) -> str:
    """Return a pattern that matches a word with up to this many mistakes."""
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
