from __future__ import annotations

import pytest

from secboot.progress import Phase
from secboot.report.progress import progress_text


@pytest.mark.parametrize(
    ("phase", "done", "total", "text"),
    [
        (Phase.READING, 3120, 10000, "reading 3,120 of 10,000 boot entries"),
        (Phase.READING_AGAIN, 1, 2, "rereading 1 of 2 boot entries"),
        (Phase.COPYING, 9, 10, "copying 9 of 10 boot entries for zipl to check"),
        (Phase.WRITING, 999, 1000, "writing 999 of 1,000 files"),
        (Phase.RESTORING, 4, 5, "putting back 4 of 5 old files"),
    ],
)
def test_a_step_that_counts_says_how_far_it_is(
    phase: Phase, done: int, total: int, text: str
) -> None:
    assert progress_text(phase, done, total, "", 7) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "running zipl"), (1, "running zipl, 1 s"), (75, "running zipl, 75 s")]
)
def test_a_program_is_named_with_the_seconds_that_it_has_run(seconds: int, text: str) -> None:
    assert progress_text(Phase.RUNNING, 0, 0, "zipl", seconds) == text


def test_a_step_that_does_not_count_tells_its_seconds() -> None:
    assert progress_text(Phase.PLANNING, 0, 0, "", 0) == "making the plan"
    assert progress_text(Phase.PLANNING, 0, 0, "", 3) == "making the plan, 3 s"


def test_there_are_different_words_for_every_step_counted_or_not() -> None:
    texts = {progress_text(s, done, 2 * done, "zipl", 0) for s in Phase for done in (0, 1)}

    assert len(texts) == 2 * len(Phase) - 1  # a program does not count
    assert all(len(text) < 70 for text in texts)
