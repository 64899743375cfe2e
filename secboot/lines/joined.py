"""Change a line that is joined from two stores, and split the result into the two stores again.

A requirement can be about the whole line (these occurrences, in this order), so one store cannot be
changed without regard to the other. The line is changed in one piece and cut where the words of the
first store end. Words of other parameters are never moved, so they show where that is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import BLANKS

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.lines.stores import Stores
    from secboot.profile.requirement import Requirement


def fulfilled_together(
    first: CommandLine,
    second: CommandLine,
    requirement: Requirement,
    stores: Stores,
) -> tuple[str, str]:
    """Return the new texts of the two stores, with which their joined line meets a requirement.

    `stores` is used only to parse lines and does not change. Raises RefusedError for a line that
    cannot be edited. The first text must not end inside a quote.
    """
    before = first.text if first.text[-1:] in {*BLANKS, ""} else f"{first.text} "
    whole = stores.line(before + second.text)
    about = requirement.occurrences(whole)
    others = sum(each not in about for each in whole.parameters if each.start < len(before))
    after = stores.fulfilled(requirement, whole.text)
    words = after.parameters
    least, most = _bounds(after, requirement, others)
    if first.dashdash is not None:
        least = max(least, _before_dashdash(words))
    elif second.dashdash is not None:
        most = min(most, _before_dashdash(words))

    def staying(cut: int) -> tuple[int, int]:
        kept = _common(words[:cut], first.parameters) + _common(words[cut:], second.parameters)
        return kept, -abs(cut - len(first.parameters))

    cut = max(range(least, most + 1), key=staying)
    end = words[cut - 1].end if cut else 0
    if first.dashdash is not None and after.dashdash is not None:
        end = max(end, _end_of_word(after.text, after.dashdash))
    return (
        _between_blanks(first.text, after.text[:end].strip(BLANKS)),
        _between_blanks(second.text, after.text[end:].strip(BLANKS)),
    )


def _bounds(after: CommandLine, requirement: Requirement, others: int) -> tuple[int, int]:
    """Return the smallest and the largest number of words that the first store can have.

    `others` is the number of its words that the requirement is not about.
    """
    about = requirement.occurrences(after)
    ends = [number for number, each in enumerate(after.parameters, 1) if each not in about]
    least = ends[others - 1] if others else 0
    return least, ends[others] - 1 if others < len(ends) else len(after.parameters)


def _before_dashdash(words: tuple[Parameter, ...]) -> int:
    return sum(not each.after_dashdash for each in words)


def _common(one: tuple[Parameter, ...], other: tuple[Parameter, ...]) -> int:
    """Return how many words stay, so that none moves to the other store without need."""
    return (Counter(map(_text, one)) & Counter(map(_text, other))).total()


def _text(word: Parameter) -> str:
    return word.text


def _end_of_word(text: str, start: int) -> int:
    return next((n for n in range(start, len(text)) if text[n] in BLANKS), len(text))


def _between_blanks(old: str, words: str) -> str:
    """Return `words` with the leading and trailing blanks of `old`, which may be newlines."""
    if not old.strip(BLANKS):
        return words + old if words else old
    start = len(old) - len(old.lstrip(BLANKS))
    return old[:start] + words + old[len(old.rstrip(BLANKS)) :]
