"""The words for what a command is doing right now."""

from __future__ import annotations

from secboot.progress import Phase

_WORDS = {
    Phase.READING: ("reading", "boot entries"),
    Phase.READING_AGAIN: ("rereading", "boot entries"),
    Phase.READING_BACK: ("reading back", "boot entries"),
    Phase.INTERPRETING: ("interpreting", "boot entries"),
    Phase.PLANNING: ("making", "plan"),
    Phase.ASSESSING: ("assessing", "boot entries"),
    Phase.COPYING: ("copying", "boot entries for zipl to check"),
    Phase.SAVING: ("saving", "files as they are"),
    Phase.WRITING: ("writing", "files"),
    Phase.REPLACING: ("replacing", "files"),
    Phase.RESTORING: ("putting back", "old files"),
    Phase.TIDYING: ("removing", "temporary files"),
}


def progress_text(phase: Phase, done: int, total: int, program: str, seconds: int) -> str:
    """Return one clause, as "writing 3,120 of 10,000 files" or "running zipl, 7 s".

    `seconds` is how long the phase has taken; it is told of those that do not count.
    """
    if phase is Phase.RUNNING:
        words = f"running {program}"
    else:
        verb, what = _WORDS[phase]
        if total:
            return f"{verb} {done:,} of {total:,} {what}"
        words = f"{verb} the {what}"
    return f"{words}, {seconds} s" if seconds else words
