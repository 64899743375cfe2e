"""The words for what a command is doing right now."""

from __future__ import annotations

from secboot.progress import Step

_COUNTED = {
    Step.READING: "reading {} of {} boot entries",
    Step.READING_AGAIN: "reading {} of {} boot entries again",
    Step.READING_BACK: "reading back {} of {} boot entries",
    Step.COPYING: "copying {} of {} boot entries for zipl to check",
    Step.WRITING: "writing {} of {} new files",
    Step.REPLACING: "replacing {} of {} files",
    Step.RESTORING: "putting back {} of {} files",
}
_UNCOUNTED = {
    Step.READING: "reading the boot files",
    Step.READING_AGAIN: "reading the boot files again",
    Step.READING_BACK: "reading back the boot files",
    Step.INTERPRETING: "interpreting the boot files",
    Step.PLANNING: "making the plan",
    Step.SAVING: "saving the old files",
    Step.ASSESSING: "assessing the boot entries",
    Step.TIDYING: "removing temporary files",
}


def progress_text(step: Step, done: int, total: int, program: str, seconds: int) -> str:
    """Return one clause, as "writing 3,120 of 10,000 new files" or "running zipl, 7 s".

    `seconds` is how long the step has taken; it is told of those that do not count.
    """
    if total:
        return _COUNTED[step].format(f"{done:,}", f"{total:,}")
    words = f"running {program}" if step is Step.RUNNING else _UNCOUNTED[step]
    return f"{words}, {seconds} s" if seconds else words
