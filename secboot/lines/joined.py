"""A change to a line that is joined from two stores, taken apart into what each of them will hold.

What a requirement asks can be about the line as a whole (these occurrences, in this order), so that
no store can be changed without a look at the other. The line is changed in one piece, and cut where
the words of the first store end: words of other parameters are never moved, so they show where.
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
    """Return what the two texts become when the line that they are joined to meets a requirement.

    Nothing is changed in `stores`, which know what lines are read as. Raises RefusedError for a line
    that can't be edited; no quote may be open at the end of the first text.
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
    """Return how many words the first store has at least and at most.

    It has so many `others` than those that the requirement is about.
    """
    about = requirement.occurrences(after)
    ends = [number for number, each in enumerate(after.parameters, 1) if each not in about]
    least = ends[others - 1] if others else 0
    return least, ends[others] - 1 if others < len(ends) else len(after.parameters)


def _before_dashdash(words: tuple[Parameter, ...]) -> int:
    return sum(not each.after_dashdash for each in words)


def _common(one: tuple[Parameter, ...], other: tuple[Parameter, ...]) -> int:
    """Return how many words stay as they are, so that none changes its store without need."""
    return (Counter(map(_text, one)) & Counter(map(_text, other))).total()


def _text(word: Parameter) -> str:
    return word.text


def _end_of_word(text: str, start: int) -> int:
    return next((n for n in range(start, len(text)) if text[n] in BLANKS), len(text))


def _between_blanks(old: str, words: str) -> str:
    """Return other words between the blanks at the ends of a text; a newline may be one."""
    if not old.strip(BLANKS):
        return words + old if words else old
    start = len(old) - len(old.lstrip(BLANKS))
    return old[:start] + words + old[len(old.rstrip(BLANKS)) :]
