"""The words for what a command is doing right now."""

from __future__ import annotations

from secboot.progress import Step

_WORDS = {
    Step.READING: ("reading", "boot entries"),
    Step.READING_AGAIN: ("rereading", "boot entries"),
    Step.READING_BACK: ("reading back", "boot entries"),
    Step.INTERPRETING: ("interpreting", "boot entries"),
    Step.PLANNING: ("making", "plan"),
    Step.ASSESSING: ("assessing", "boot entries"),
    Step.COPYING: ("copying", "boot entries for zipl to check"),
    Step.SAVING: ("saving", "files as they are"),
    Step.WRITING: ("writing", "files"),
    Step.REPLACING: ("replacing", "files"),
    Step.RESTORING: ("putting back", "old files"),
    Step.TIDYING: ("removing", "temporary files"),
}


def progress_text(step: Step, done: int, total: int, program: str, seconds: int) -> str:
    """Return one clause, as "writing 3,120 of 10,000 files" or "running zipl, 7 s".

    `seconds` is how long the step has taken; it is told of those that do not count.
    """
    if step is Step.RUNNING:
        words = f"running {program}"
    else:
        verb, what = _WORDS[step]
        if total:
            return f"{verb} {done:,} of {total:,} {what}"
        words = f"{verb} the {what}"
    return f"{words}, {seconds} s" if seconds else words
